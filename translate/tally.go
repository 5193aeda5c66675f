package translate

import (
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// Cells of [Appearance.Light].
const (
	lightRows    = 8
	lightColumns = 8
)

// tally holds the sums that an [Appearance] is made from.
type tally struct {
	images, skipped int
	aspect          float64 // sum of width / height

	count [levels]int64
	sum   [2][levels]float64 // of U and V
	sum2  [2][levels]float64 // of their squares

	noise [axes][2]noiseTally // per axis, fine and coarse

	power [spectrumBins]float64
	tiles int

	light      [lightRows][lightColumns]float64
	lightCount [lightRows][lightColumns]int64

	planes ycc // memory of measure
}

func newTally() *tally { return new(tally) }

// measure replaces the sums by those of one image.
func (t *tally) measure(m *raster.Image) error {
	planes := t.planes
	*t = tally{planes: planes}
	if m.W < tileSide || m.H < tileSide {
		return fmt.Errorf("it has %d×%d pixels, but at least %d×%[3]d are needed to measure sharpness and noise", m.W, m.H, tileSide)
	}
	t.planes.from(m, wholeOf(m))
	if !t.planes.hasContent() {
		t.skipped = 1
		return nil
	}
	t.images = 1
	t.aspect = float64(m.W) / float64(m.H)
	t.colours()
	t.falloff()
	for axis, plane := range t.planes.axes() {
		t.noise[axis][0].measure(plane, t.planes.y, m.W, m.H)
		t.noise[axis][1].measure(halve(plane, m.W, m.H), scaled(halve(t.planes.y, m.W, m.H), 0.5), m.W/2, m.H/2)
	}
	t.spectrum()
	return nil
}

// hasContent reports whether luma varies by more than rounding does.
func (p *ycc) hasContent() bool {
	var sum, sum2 float64
	for _, v := range p.y {
		sum += float64(v)
		sum2 += float64(v) * float64(v)
	}
	n := float64(len(p.y))
	return sum2/n-sum/n*(sum/n) > 1
}

// colours counts luma levels and sums chroma for each.
func (t *tally) colours() {
	y, u, v := t.planes.y, t.planes.u, t.planes.v
	for i := range y {
		l := level(y[i])
		t.count[l]++
		cu, cv := float64(u[i]), float64(v[i])
		t.sum[0][l] += cu
		t.sum2[0][l] += cu * cu
		t.sum[1][l] += cv
		t.sum2[1][l] += cv * cv
	}
}

// falloff sums luma over the cells of the grid.
func (t *tally) falloff() {
	w, h := t.planes.w, t.planes.h
	for y := range h {
		row := y * lightRows / h
		for x := range w {
			out := 2*x + 1 - w // distance from the middle, in half pixels
			column := min(max(out, -out)*lightColumns/w, lightColumns-1)
			t.light[row][column] += float64(t.planes.y[y*w+x])
			t.lightCount[row][column]++
		}
	}
}

// add adds the sums of another tally.
func (t *tally) add(o *tally) {
	t.images += o.images
	t.skipped += o.skipped
	t.aspect += o.aspect
	for l := range levels {
		t.count[l] += o.count[l]
		for c := range 2 {
			t.sum[c][l] += o.sum[c][l]
			t.sum2[c][l] += o.sum2[c][l]
		}
	}
	for axis := range axes {
		for scale := range 2 {
			t.noise[axis][scale].add(&o.noise[axis][scale])
		}
	}
	for k := range t.power {
		t.power[k] += o.power[k]
	}
	t.tiles += o.tiles
	for r := range lightRows {
		for c := range lightColumns {
			t.light[r][c] += o.light[r][c]
			t.lightCount[r][c] += o.lightCount[r][c]
		}
	}
}

// appearance turns sums into means.
func (t *tally) appearance() *Appearance {
	a := &Appearance{Images: t.images, Skipped: t.skipped, Aspect: t.aspect / float64(t.images), Luma: make([]float64, levels), Spectrum: make([]float64, spectrumBins)}
	total := int64(0)
	for _, n := range t.count {
		total += n
	}
	for c := range a.Chroma {
		a.Chroma[c] = Moments{Mean: make([]float64, levels), Variance: make([]float64, levels)}
	}
	for l, n := range t.count {
		a.Luma[l] = float64(n) / float64(total)
		if n == 0 {
			continue
		}
		for c := range a.Chroma {
			mean := t.sum[c][l] / float64(n)
			a.Chroma[c].Mean[l] = mean
			a.Chroma[c].Variance[l] = max(t.sum2[c][l]/float64(n)-mean*mean, 0)
		}
	}
	for axis := range axes {
		a.Noise[axis] = Levels{Fine: t.noise[axis][0].levels(), Coarse: t.noise[axis][1].levels()}
	}
	for k, p := range t.power {
		a.Spectrum[k] = p / float64(max(t.tiles, 1))
	}
	a.Light = make([][]float64, lightRows)
	for r := range a.Light {
		a.Light[r] = make([]float64, lightColumns)
		for c := range a.Light[r] {
			a.Light[r][c] = t.light[r][c] / float64(max(t.lightCount[r][c], 1))
		}
	}
	return a
}

// level returns the luma level that v is counted under.
func level(v float32) int {
	return int(math.Round(float64(clip255(v))))
}
