package predict

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkAddView measures what a view costs beside its run: logits of 19
// classes at stride 4 become probabilities at 1024×512. The logits are as sure of
// themselves as those of a trained network.
func BenchmarkAddView(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	view := logitMap{}.cleared(19, 256, 128)
	for i := range view.pix {
		view.pix[i] = float32(10 * r.NormFloat64())
	}
	total := logitMap{}.cleared(19, 1024, 512)
	for b.Loop() {
		total.addView(view, false, true, negligible, 1)
	}
}
