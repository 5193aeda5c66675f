package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestPrototypesByHand(t *testing.T) {
	// Two images of 1×3 positions, width 2; class 0 at image 0 x 0 and image 1 x 2.
	labels := []uint8{0, 1, 255, 1, 255, 0}
	features := []float32{
		3, 1, 9, // image 0, plane 0
		0, 0, 9, // image 0, plane 1
		1, 9, 3,
		0, 9, 8,
	}
	dst, present := slices.Repeat([]float32{9}, 6), make([]bool, 3)
	if err := Prototypes(dst, present, features, labels, 2, 2); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0.6, 0.8, 1, 0, 0, 0}; !slices.Equal(dst, want) {
		t.Errorf("got %v, want %v", dst, want)
	}
	if !slices.Equal(present, []bool{true, true, false}) {
		t.Errorf("present %v", present)
	}
}

func TestPrototypesEqualReference(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	const images, width, area, classes = 2, 7, 700, 5 // runs longer than maxRun, planes beyond groups of 4
	features, labels := make([]float32, images*width*area), make([]uint8, images*area)
	for i := range features {
		features[i] = float32(r.NormFloat64())
	}
	for i := 0; i < len(labels); {
		label := uint8(r.IntN(classes))
		if r.IntN(6) == 0 {
			label = 255
		}
		for range 1 + r.IntN(400)*r.IntN(2) {
			if i < len(labels) {
				labels[i] = label
				i++
			}
		}
	}
	dst, present := make([]float32, classes*width), make([]bool, classes)
	if err := Prototypes(dst, present, features, labels, images, width); err != nil {
		t.Fatal(err)
	}
	for c := range classes {
		mean := make([]float64, width)
		for i, label := range labels {
			if int(label) == c {
				for d := range mean {
					mean[d] += float64(features[(i/area*width+d)*area+i%area])
				}
			}
		}
		norm := math.Sqrt(refDot(mean, mean))
		for d := range mean {
			near(t, "prototype", float64(dst[c*width+d]), mean[d]/norm, 1e-5)
		}
	}
}

func TestPrototypesThatCancel(t *testing.T) {
	dst, present := make([]float32, 1), []bool{true}
	if err := Prototypes(dst, present, []float32{1, -1}, []uint8{0, 0}, 1, 1); err != nil {
		t.Fatal(err)
	}
	if present[0] || dst[0] != 0 {
		t.Errorf("a mean of 0 has direction %v", dst)
	}
}

func TestPrototypesErrors(t *testing.T) {
	nan := float32(math.NaN())
	for want, err := range map[string]error{
		"class 1":     Prototypes(make([]float32, 2), make([]bool, 2), []float32{1, nan}, []uint8{0, 1}, 1, 1),
		"label 2":     Prototypes(make([]float32, 2), make([]bool, 2), []float32{1, 1}, []uint8{0, 2}, 1, 1),
		"do not fill": Prototypes(make([]float32, 2), make([]bool, 2), []float32{1}, []uint8{0, 1}, 1, 1),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

func TestGather(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const images, area = 3, 11
	for _, width := range []int{1, 5, 16, 37} {
		features := make([]float32, images*width*area)
		for i := range features {
			features[i] = float32(i)
		}
		keys := make([]key, 40)
		for i, row := range r.Perm(len(keys)) {
			keys[i] = key{position: int32(r.IntN(images * area)), row: int32(row)}
		}
		dst := make([]float32, len(keys)*width)
		g := newGatherer(images, width, area, len(keys))
		g.fetch(dst, features, keys)
		for _, k := range keys {
			for d := range width {
				image, at := int(k.position)/area, int(k.position)%area
				if got, want := dst[int(k.row)*width+d], features[(image*width+d)*area+at]; got != want {
					t.Fatalf("width %d, key %v, plane %d: got %g, want %g", width, k, d, got, want)
				}
			}
		}
	}
}
