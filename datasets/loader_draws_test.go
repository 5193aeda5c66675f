package datasets

import (
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// brighten is an augmentation that tells its draw: it adds one number below 1 to
// the images it is given.
type brighten struct{}

func (brighten) Apply(r *rand.Rand, images ...*raster.Image) {
	add := 1 + float32(r.Float64())
	for _, m := range images {
		for i := range m.Pix {
			m.Pix[i] += add
		}
	}
}

// TestAugmentation reaches the source crops alone, with a draw for each; crops,
// translations and targets are those of a run without it.
func TestAugmentation(t *testing.T) {
	o := adaptation(t, 1<<20)
	plain := mustLoader(t, o)
	o.Augment = brighten{}
	augmented := mustLoader(t, o)
	draws := map[float32]bool{}
	for it := range 4 {
		a, b := mustBatch(t, plain, it), mustBatch(t, augmented, it)
		for k := range a.Source {
			add := b.Source[k].Pix[0] - a.Source[k].Pix[0]
			for i, v := range a.Source[k].Pix {
				if d := b.Source[k].Pix[i] - v - add; d > 1e-4 || d < -1e-4 || add < 1 {
					t.Fatalf("iteration %d: value %d changed by %g, the first by %g", it, i, d+add, add)
				}
			}
			draws[add] = true
		}
		b.Source = a.Source
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("iteration %d: more than the source crops changed", it)
		}
		if !cmp.Equal(mustBatch(t, augmented, it), mustBatch(t, augmented, it)) {
			t.Fatalf("iteration %d is not repeatable", it)
		}
	}
	if len(draws) != 8 {
		t.Errorf("%d different draws for 8 crops", len(draws))
	}
}

// TestTargetRows: the rows that a target crop holds, and where it begins, are found again in
// an image whose red tells the row and whose green the column.
func TestTargetRows(t *testing.T) {
	o := adaptation(t, 0)
	root := t.TempDir()
	img := photo(1, 36, 34)
	for y := range 34 {
		for x := range 36 {
			img.Set(x, y, color.NRGBA{R: uint8(y), G: uint8(x), A: 255})
		}
	}
	writePicture(t, filepath.Join(root, "images", "a.png"), img)
	o.Target = mustOpen(t, Options{Root: root})
	l := mustLoader(t, o)
	seen := map[int]bool{}
	for it := range 10 {
		b := mustBatch(t, l, it)
		for k, m := range b.Target {
			rows := b.TargetRows[k]
			if rows.Of != 34 || float32(rows.From) != m.Plane(0)[0] {
				t.Errorf("iteration %d: %+v for a crop whose first row is %g", it, rows, m.Plane(0)[0])
			}
			seen[rows.From] = true
			corner, column := b.TargetCorners[k], 0
			if corner.Flip {
				column = m.W - 1
			}
			if corner.Y != rows.From || float32(corner.X) != m.Plane(1)[column] {
				t.Errorf("iteration %d: %+v for a crop whose first column is %g", it, corner, m.Plane(1)[column])
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("crops begin at %d different rows", len(seen))
	}
}
