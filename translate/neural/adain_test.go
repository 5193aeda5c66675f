package neural

import (
	"math"
	"strings"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
)

// adain is AdaIN (Huang and Belongie, ICCV 2017, eq. 8) with an encoder that can be
// inverted exactly: the 2×2 squares' pixels as channels.
func adain() *onnxtest.Model {
	m := onnxtest.New().In("content", float, -1, 3, -1, -1).In("style", float, -1, 3, -1, -1).Out("out", float, -1, 3, -1, -1)
	for _, name := range []string{"content", "style"} {
		m.Node(name+" encode", "SpaceToDepth", name, name+"_f", "blocksize", 2).
			Node(name+" mean", "ReduceMean", name+"_f", name+"_mean", "axes", []int{2, 3}).
			Node(name+" centre", "Sub", name+"_f "+name+"_mean", name+"_centred").
			Node(name+" square", "Mul", name+"_centred "+name+"_centred", name+"_square").
			Node(name+" variance", "ReduceMean", name+"_square", name+"_variance", "axes", []int{2, 3}).
			Node(name+" deviation", "Sqrt", name+"_variance", name+"_deviation")
	}
	return m.Node("normalise", "Div", "content_centred content_deviation", "normal").
		Node("scale", "Mul", "normal style_deviation", "scaled").
		Node("shift", "Add", "scaled style_mean", "moved").
		Node("decode", "DepthToSpace", "moved", "out", "blocksize", 2)
}

// moments are mean and deviation of the values at one place of the 2×2 squares.
func moments(m *raster.Image, c, dx, dy int) (mean, deviation float64) {
	n := 0.0
	var values []float64
	for y := dy; y < m.H; y += 2 {
		for x := dx; x < m.W; x += 2 {
			v := float64(m.Plane(c)[y*m.W+x])
			values, mean, n = append(values, v), mean+v, n+1
		}
	}
	mean /= n
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / n
	}
	return mean, math.Sqrt(deviation)
}

// TestAdaIN: the result has the content's values, moved and scaled to the moments of
// the reference.
func TestAdaIN(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	n, err := OpenAdaIN(e, Options{Model: save(t, adain())})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	content, style := raster.NewImage(12, 8), raster.NewImage(12, 8)
	for i := range content.Pix { // away from 0 and 255, where results would be clipped
		content.Pix[i] = 100 + 50*float32(math.Sin(float64(3*i)))
		style.Pix[i] = 140 + 20*float32(math.Cos(float64(i*i)))
	}
	out, err := n.Translate(nil, content, style)
	if err != nil {
		t.Fatal(err)
	}
	for c := range 3 {
		for phase := range 4 {
			dx, dy := phase%2, phase/2
			m0, s0 := moments(content, c, dx, dy)
			m1, s1 := moments(style, c, dx, dy)
			for y := dy; y < 8; y += 2 {
				for x := dx; x < 12; x += 2 {
					i := y*12 + x
					want := (float64(content.Plane(c)[i])-m0)/s0*s1 + m1
					if got := float64(out.Plane(c)[i]); math.Abs(got-want) > 0.01 {
						t.Fatalf("channel %d at (%d,%d): %v, want %v", c, x, y, got, want)
					}
				}
			}
		}
	}
}

func TestAdaINRefuses(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for want, o := range map[string]Options{
		"engine adain needs a model file":                                                  {},
		"it takes no reference image, which engine adain is about: give it to engine onnx": {Model: save(t, affine(1, 0))},
		"none.onnx": {Model: "none.onnx"},
	} {
		if n, err := OpenAdaIN(e, o); err == nil || n != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want … %s", err, want)
		}
	}
}
