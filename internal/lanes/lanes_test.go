package lanes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// drawn draws numbers of many sizes, some of them denormal, infinite or none.
func drawn(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(40)-30))
		switch r.IntN(50) {
		case 0:
			out[i] = math.Float32frombits(r.Uint32())
		case 1:
			out[i] = 0
		}
	}
	return out
}

// same reports whether two slices hold the same bits; of NaN any will do.
func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool {
		return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
	})
}

// TestVectors: with vectors every element is the same to the bit, wherever slices begin and end.
func TestVectors(t *testing.T) {
	const seed = 5
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	for _, n := range []int{0, 1, 7, 8, 9, 64, 1003} {
		for shift := range 3 {
			var have, want [4][]float32
			for i := range have {
				have[i] = drawn(r, shift+n)[shift:]
				want[i] = slices.Clone(have[i])
			}
			k := AdamW{Beta1: 0.9, Beta2: 0.999, New1: 0.1, New2: 0.001, Eps: 1e-8, Grad: 0.7, Keep: 0.999, Rate: 1e-3, RsqrtC: 1.3}
			k.Update(have[0], have[1], have[2], have[3])
			k.update(want[0], want[1], want[2], want[3])
			for i := range have {
				if !same(have[i], want[i]) {
					t.Errorf("AdamW of %d elements from %d: operand %d differs", n, shift, i)
				}
			}
			Blend(have[0], have[1], 0.99, 0.01)
			blend(want[0], want[1], 0.99, 0.01)
			if !same(have[0], want[0]) {
				t.Errorf("Blend of %d elements from %d differs", n, shift)
			}
		}
	}
}

// Slices that are too short are not read beyond.
func TestShort(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Blend(make([]float32, 16), make([]float32, 15), 1, 1)
}

func BenchmarkAdamW(b *testing.B) {
	const n = 620_000 // weights of mit_nano
	var x [4][]float32
	for i := range x {
		x[i] = make([]float32, n)
		for k := range x[i] {
			x[i][k] = 1e-3 * float32(k%97)
		}
	}
	k := AdamW{Beta1: 0.9, Beta2: 0.999, New1: 0.1, New2: 0.001, Eps: 1e-8, Grad: 1, Keep: 0.999, Rate: 1e-5, RsqrtC: 1.3}
	for _, f := range []struct {
		name   string
		update func(p, g, m, v []float32)
	}{{"Go", k.update}, {"vectors", k.Update}} {
		b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
			b.SetBytes(28 * n)
			for b.Loop() {
				f.update(x[0], x[1], x[2], x[3])
			}
		})
	}
}
