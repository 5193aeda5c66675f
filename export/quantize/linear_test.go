package quantize

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
	"t2sda/internal/half"
	"t2sda/internal/onnxmodel"
)

func TestActivationLevels(t *testing.T) {
	tests := []struct {
		target Target
		r      span
		scale  float32
		zero   int
		x      []float32
		want   []int
	}{
		// 255 steps of 1 from −64 to 191; halves go to the even level, what lies outside to the last.
		{CPU, span{-64, 191}, 1, 64, []float32{0, 0.5, 1.5, 2.5, -0.5, -64, -65, 191, 1e9, -1e9}, []int{64, 64, 66, 66, 64, 0, 0, 255, 255, 0}},
		{CPU, span{3, 510}, 2, 0, []float32{0, 1, 3, 5, -7}, []int{0, 0, 2, 2, 0}}, // 0 belongs to it
		{CPU, span{-255, -3}, 1, 255, []float32{0, -1, -300}, []int{255, 254, 0}},
		{CPU, span{0, 0}, 1, 0, []float32{0, 5}, []int{0, 5}},
		{GPU, span{-127, 10}, 1, 0, []float32{0, 0.5, -1.5, 126.6, 300, -300}, []int{0, 0, -2, 127, 127, -127}},
		{GPU, span{0, 254}, 2, 0, []float32{1, 3, 254}, []int{0, 2, 127}},
	}
	for _, tt := range tests {
		g := tt.target.activation(tt.r)
		if g.scale != tt.scale || g.zero != tt.zero {
			t.Errorf("%s %v: scale %v, zero point %d, want %v, %d", tt.target, tt.r, g.scale, g.zero, tt.scale, tt.zero)
		}
		for i, x := range tt.x {
			if got := g.level(x); got != tt.want[i] {
				t.Errorf("%s %v: level of %v is %d, want %d", tt.target, tt.r, x, got, tt.want[i])
			}
		}
	}
}

func TestWeightChannels(t *testing.T) {
	conv := onnxmodel.Floats("w", []float32{127, -63.5, 2, 254}, 2, 1, 1, 2)
	matmul := onnxmodel.Floats("w", []float32{1, 254, -127, 2}, 2, 2)
	for _, tt := range []struct {
		t      *onnxmodel.Tensor
		axis   int
		most   int
		scales []float32
		levels []int8
	}{
		{conv, 0, 127, []float32{1, 2}, []int8{127, -64, 1, 127}},
		{matmul, 1, 127, []float32{1, 2}, []int8{1, 127, -127, 1}},
		{matmul, 0, 127, []float32{2, 1}, []int8{0, 127, -127, 2}}, // 0.5 goes to the even 0
		{onnxmodel.Floats("w", []float32{64, -32, 0, 0}, 2, 2), 0, 64, []float32{1, 1}, []int8{64, -32, 0, 0}},
	} {
		c := weightChannels(tt.t, tt.axis, tt.most, nil, 1)
		var levels []int8
		for _, b := range c.constant("q", tt.t).Raw {
			levels = append(levels, int8(b))
		}
		if !slices.Equal(c.scales, tt.scales) || !slices.Equal(levels, tt.levels) {
			t.Errorf("axis %d of %v: scales %v, levels %v, want %v, %v", tt.axis, tt.t.Floats(), c.scales, levels, tt.scales, tt.levels)
		}
	}
}

// TestBias: scale = input·weights, and a channel whose bias an int32 could not hold gets a larger one.
func TestBias(t *testing.T) {
	w := onnxmodel.Floats("w", []float32{127, 254, 1e-9}, 3, 1)
	bias := onnxmodel.Floats("b", []float32{3, -1.25, 1000}, 3)
	c := weightChannels(w, 0, 127, bias.Floats(), 0.5)
	levels, scales := c.bias("b", bias, 0.5)
	var got []int32
	for i := range 3 {
		got = append(got, int32(binary.LittleEndian.Uint32(levels.Raw[4*i:])))
	}
	if got[0] != 6 || got[1] != -1 || scales[0] != 0.5 || scales[1] != 1 {
		t.Errorf("levels %v, scales %v", got, scales)
	}
	if back := float64(got[2]) * float64(scales[2]); math.Abs(back-1000) > 1e-3 || got[2] < 1<<29 {
		t.Errorf("the large bias becomes %d·%v = %v", got[2], scales[2], back)
	}
}

// TestHolds: a bias that scales were made without.
func TestHolds(t *testing.T) {
	c := weightChannels(onnxmodel.Floats("w", []float32{127, 1e-9}, 1, 2), 1, 127, nil, 0.5)
	for _, k := range []struct {
		bias []float32
		want bool
	}{{[]float32{1000, 0}, true}, {[]float32{-1000, 1e-9}, true}, {[]float32{1000, 1}, false}, {[]float32{0, -1}, false}} {
		if have := c.holds(onnxmodel.Floats("b", k.bias, 2), 0.5); have != k.want {
			t.Errorf("%v: have %t", k.bias, have)
		}
	}
}

// TestHalfAStep: what comes back from levels lies within half a step of what was brought to them.
func TestHalfAStep(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	data := make([]float32, 4*3*9)
	for i := range data {
		data[i] = float32(r.NormFloat64() * math.Pow(10, float64(i/27)-2))
	}
	w := onnxmodel.Floats("w", data, 4, 3, 3, 3)
	c := weightChannels(w, 0, 127, nil, 1)
	for i, b := range c.constant("q", w).Raw {
		scale := float64(c.scales[i/27])
		if d := math.Abs(float64(int8(b))*scale - float64(data[i])); d > scale/2*1.0001 {
			t.Errorf("weight %d is off by %v of a step", i, d/scale)
		}
	}
	for _, target := range []Target{CPU, GPU} {
		g := target.activation(span{float64(slices.Min(data)), float64(slices.Max(data))})
		for _, x := range data {
			// Rounding the zero point moves the ends by up to half a step more.
			if d := math.Abs(float64(g.level(x)-g.zero)*float64(g.scale) - float64(x)); d > float64(g.scale)*1.0001 {
				t.Errorf("%s: %v is off by %v of a step", target, x, d/float64(g.scale))
			}
		}
	}
}

func TestHalfRoundsAsTheInterpreter(t *testing.T) {
	const seed = 4
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	for range 20000 {
		x := float32(r.NormFloat64() * math.Pow(2, r.Float64()*44-28))
		bits := half.Bits(x)
		exponent, digits := int(bits>>10&31), float64(bits&0x3ff)
		value := math.Ldexp(digits+1024, exponent-25)
		if exponent == 0 {
			value = math.Ldexp(digits, -24)
		}
		if exponent == 31 {
			value = math.Inf(1)
		}
		if bits&0x8000 != 0 {
			value = -value
		}
		if want := graphtest.Round(graphs.Float16, float64(x)); value != want {
			t.Fatalf("%v becomes %v, want %v", x, value, want)
		}
	}
}
