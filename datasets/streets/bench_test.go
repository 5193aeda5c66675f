package streets_test

import (
	"fmt"
	"testing"

	"t2sda/datasets/streets"
)

// BenchmarkRender measures one core; images/s is what to compare.
func BenchmarkRender(b *testing.B) {
	for _, size := range [][2]int{{256, 128}, {512, 256}, {1024, 512}} {
		for _, d := range []streets.Domain{streets.Game, streets.Camera} {
			b.Run(fmt.Sprintf("%s/%dx%d", d, size[0], size[1]), func(b *testing.B) {
				i := 0
				for b.Loop() {
					streets.Render(1, i, d, size[0], size[1])
					i++
				}
				b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// BenchmarkWrite measures a whole tree: rendering on all cores, PNG, files.
func BenchmarkWrite(b *testing.B) {
	const n = 64
	for b.Loop() {
		o := streets.WriteOptions{Seed: 1, Domain: streets.Camera, Train: n, W: 256, H: 128}
		if err := streets.Write(b.Context(), b.TempDir(), o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "images/s")
}
