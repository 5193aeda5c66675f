package translate

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

// shown is an engine whose result is the picture that it is shown.
type shown struct{}

func (shown) Translate(_ *rand.Rand, source, target *raster.Image) (*raster.Image, error) {
	if target == nil || target.W != source.W || target.H != source.H {
		return nil, errors.New("the picture has another size")
	}
	return target, nil
}

// greys are n styles of one colour each, of different shapes.
func greys(n int) Images {
	return Images{Len: n, Load: func(_ context.Context, i int) (*raster.Image, error) {
		return pixelsOf([3]float32{float32(10 * i), 0, 0}, 20+10*i, 64-10*i), nil
	}}
}

// TestStyledDraws: each image gets a style of its own generator, whatever batch it is
// in, never the target's image.
func TestStyledDraws(t *testing.T) {
	e, err := NewStyled(shown{}, greys(4))
	if err != nil {
		t.Fatal(err)
	}
	source, target := scene(1, 32, 16), pixelsOf([3]float32{99, 99, 99}, 32, 16)
	together, err := e.TranslateBatch(t.Context(), jobsOf(40, source, target, wholeOf(source)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float32]int{}
	for i, j := range jobsOf(40, source, target, wholeOf(source)) {
		alone, err := e.Translate(j.Rand, source, target)
		if err != nil || !slices.Equal(alone.Pix, together[i].Pix) {
			t.Fatalf("image %d depends on its batch, %v", i, err)
		}
		seen[alone.Pix[0]]++
	}
	if len(seen) != 4 || seen[99] > 0 {
		t.Errorf("styles that were drawn: %v", seen)
	}
}

func TestFillByHand(t *testing.T) {
	wide := pixels([3]float32{1, 1, 1}, [3]float32{2, 2, 2}, [3]float32{3, 3, 3}, [3]float32{4, 4, 4}) // 4×1
	if got := fill(wide, 2, 1); !slices.Equal(got.Plane(0), []float32{2, 3}) {
		t.Errorf("the middle is %v", got.Plane(0))
	}
	tall := &raster.Image{W: 1, H: 4, Pix: wide.Pix}
	if got := fill(tall, 1, 2); !slices.Equal(got.Plane(2), []float32{2, 3}) {
		t.Errorf("the middle is %v", got.Plane(2))
	}
	if got := fill(wide, 1, 40); got.W != 1 || got.H != 40 {
		t.Errorf("%d×%d", got.W, got.H)
	}
}

func TestStyledRefuses(t *testing.T) {
	if _, err := NewStyled(shown{}, Images{}); err == nil || !strings.Contains(err.Error(), "there is no picture") {
		t.Errorf("no styles: %v", err)
	}
	e, err := NewStyled(shown{}, Images{Len: 1, Load: func(context.Context, int) (*raster.Image, error) { return nil, errors.New("a.png is cut") }})
	if err != nil {
		t.Fatal(err)
	}
	source := scene(1, 8, 8)
	if _, err := translator.All(t.Context(), e, jobsOf(1, source, nil, wholeOf(source))); err == nil || !strings.Contains(err.Error(), "translate: styles: a.png is cut") {
		t.Errorf("a broken style: %v", err)
	}
	if _, err := e.Translate(nil, nil, nil); err == nil || !strings.Contains(err.Error(), "source image is missing") {
		t.Errorf("no source: %v", err)
	}
}
