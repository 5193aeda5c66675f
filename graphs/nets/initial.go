package nets

import (
	"math"
	"math/rand/v2"
)

// initialiser fills dst with a parameter's initial values.
type initialiser = func(r *rand.Rand, dst []float32)

// fill returns an initialiser that sets all elements to v.
func fill(v float32) initialiser {
	return func(_ *rand.Rand, dst []float32) {
		for i := range dst {
			dst[i] = v
		}
	}
}

// normal returns an initialiser that draws from N(0, std²).
func normal(std float64) initialiser {
	return func(r *rand.Rand, dst []float32) {
		for i := range dst {
			dst[i] = float32(r.NormFloat64() * std)
		}
	}
}

// fanOut is the initialiser of a k×k convolution: normal with deviation √(2/fan_out), where fan_out
// counts the outputs that one input feeds.
func fanOut(out, k, groups int) initialiser {
	return normal(math.Sqrt(2 / float64(k*k*out/groups)))
}

// truncatedNormal returns an initialiser that draws from N(0, std²) within ±2, absolute as in the
// public code (so for std 0.02 it is the normal distribution).
func truncatedNormal(std float64) initialiser {
	return func(r *rand.Rand, dst []float32) {
		for i := range dst {
			x := r.NormFloat64() * std
			for math.Abs(x) > 2 {
				x = r.NormFloat64() * std
			}
			dst[i] = float32(x)
		}
	}
}

// uniform returns an initialiser that draws from U(−bound, bound).
func uniform(bound float64) initialiser {
	return func(r *rand.Rand, dst []float32) {
		for i := range dst {
			dst[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}
