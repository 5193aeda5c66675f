package score

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"t2sda/export/exporttest"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// TestTogether: processes that share an evaluation all get the result that one gets, also
// where one has no image, and an image cannot be read.
func TestTogether(t *testing.T) {
	s := exporttest.NewSet(t)
	images, labels := exporttest.Predicted(t, exporttest.NanoPredictor(t), 3)
	for i, img := range images {
		for k := range labels[i].Pix[:100*i] {
			labels[i].Pix[k] = 255
		}
		labels[i].Pix[300] = uint8(i)
		s.Add(fmt.Sprintf("img%d", i), img, labels[i])
	}
	if err := os.WriteFile(s.Open().Item(1).Image, []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "set", KeepGoing: true, Worst: 2}
	want, err := Evaluate(t.Context(), exporttest.NanoPredictor(t), s.Open(), o)
	if err != nil || want.Images != 2 || len(want.Skipped) != 1 || len(want.Worst) != 2 {
		t.Fatalf("%+v, %v", want, err)
	}
	for _, size := range []int{2, 4} {
		for rank, err := range together(t, s, o, size, func(r *Result) {
			ignore := cmpopts.IgnoreFields(Result{}, "Model", "Seconds", "ImagesPerSecond")
			if diff := cmp.Diff(want, r, ignore, cmp.AllowUnexported(Confusion{})); diff != "" {
				t.Errorf("%d processes: %s", size, diff)
			}
		}) {
			if err != nil {
				t.Errorf("process %d of %d: %v", rank, size, err)
			}
		}
	}
	o.KeepGoing = false
	for rank, err := range together(t, s, o, 2, func(*Result) {}) {
		if err == nil || !strings.Contains(err.Error(), "img1") {
			t.Errorf("process %d knows nothing of the bad image: %v", rank, err)
		}
	}
}

// together evaluates a set by so many processes.
func together(t *testing.T, s exporttest.Set, o Options, size int, check func(*Result)) []error {
	t.Helper()
	d := s.Open()
	return rankstest.Run(size, func(g *ranks.Group) error {
		p := exporttest.NanoPredictor(t)
		o := o
		o.Part, o.Parts = g.Rank(), size
		o.While = func(ctx context.Context, work func(ctx context.Context) error) error {
			return g.While(ctx, time.Millisecond, work)
		}
		o.Together = func(counted []byte, err error) ([][]byte, error) {
			if err := g.Agree(err); err != nil {
				return nil, err
			}
			return ranks.Texts(g, counted)
		}
		r, err := Evaluate(t.Context(), p, d, o)
		if err != nil {
			return err
		}
		check(r)
		return nil
	})
}
