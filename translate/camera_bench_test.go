package translate

import (
	"testing"

	"t2sda/internal/median"
)

// BenchmarkCameraOverFDA alternates both on one core and reports the median of
// how many times longer the camera takes than FDA.
func BenchmarkCameraOverFDA(b *testing.B) {
	source, target := scene(1, benchW, benchH), scene(2, benchW, benchH)
	f := &FDA{Band: 0.01, Clip: true}
	mustTranslate(b, f, source, target) // makes the tables
	for name, blur := range map[string][2]Blur{
		"sharp": {},
		"blur":  {{Sigma: 0.6}, {Sigma: 0.6}},
		"glare": {{Sigma: 0.6, Glare: 0.2, Wide: 2.5}, {Sigma: 0.6, Glare: 0.2, Wide: 2.5}},
	} {
		b.Run(name, func(b *testing.B) {
			m := sceneModel(b)
			m.Blur, m.Vignette = blur, 0.1
			m.Balance.Light.Less = 0.5
			c, err := NewCamera(m, DefaultCameraOptions())
			if err != nil {
				b.Fatal(err)
			}
			mustTranslate(b, c, source, nil)
			var ratio []float64
			for b.Loop() {
				fda := seconds(func() { mustTranslate(b, f, source, target) })
				ratio = append(ratio, seconds(func() { mustTranslate(b, c, source, nil) })/fda)
			}
			b.ReportMetric(0, "ns/op") // a round mixes two things
			b.ReportMetric(median.Of(ratio), "x-FDA")
		})
	}
}
