package translate

import "math"

// Band sums up the pixels of a range of luma, for people to read.
type Band struct {
	From, To int     // luma levels, inclusive
	Share    float64 // of the pixels
	Chroma   [2]Spread
	Noise    [axes]struct{ Fine, Coarse float64 } // deviations, grey levels
}

// Spread is a mean and a standard deviation.
type Spread struct{ Mean, Deviation float64 }

// Bands returns the bands of luma that noise is measured in and that hold
// pixels.
func (a *Appearance) Bands() []Band {
	const width = levels / noiseBands
	var all []Band
	for i := range noiseBands {
		b := Band{From: i * width, To: (i+1)*width - 1}
		var sum, sum2 [2]float64
		for l := b.From; l <= b.To; l++ {
			share := a.Luma[l]
			b.Share += share
			for c, m := range a.Chroma {
				sum[c] += share * m.Mean[l]
				sum2[c] += share * (m.Variance[l] + m.Mean[l]*m.Mean[l])
			}
		}
		if b.Share == 0 {
			continue
		}
		for c := range b.Chroma {
			mean := sum[c] / b.Share
			b.Chroma[c] = Spread{Mean: mean, Deviation: math.Sqrt(max(sum2[c]/b.Share-mean*mean, 0))}
		}
		for axis, n := range a.Noise {
			b.Noise[axis].Fine, b.Noise[axis].Coarse = n.Fine[i], n.Coarse[i]
		}
		all = append(all, b)
	}
	return all
}

// Quantile returns the luma below which a share of the pixels lies.
func (a *Appearance) Quantile(share float64) float64 { return newCurve(a.Luma).quantile(share) }
