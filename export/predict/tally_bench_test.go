package predict

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkAddView measures what a view costs beside its run: logits of 19
// classes at stride 4 become probabilities, at 1024×512 and, with logarithms of them, at
// their own size. The logits are as sure of themselves as those of a trained network.
func BenchmarkAddView(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	view := logitMap{}.cleared(19, 256, 128)
	for i := range view.pix {
		view.pix[i] = float32(10 * r.NormFloat64())
	}
	for _, size := range [][2]int{{1024, 512}, {256, 128}} {
		b.Run(fmt.Sprintf("%d×%d", size[0], size[1]), func(b *testing.B) {
			total := logitMap{}.cleared(19, size[0], size[1])
			for b.Loop() {
				if size[0] > view.w {
					total.addView(view, false, true, negligible, 1)
					continue
				}
				clear(total.pix)
				total.addView(view, false, true, rarest, 1)
				logarithms(total.pix, total.pix)
			}
		})
	}
}
