package translate

import "math"

// colours are sums of an image's luma and chroma: per luma level the pixels,
// and of U and V the values and their squares.
type colours struct {
	count     [levels]float64
	sum, sum2 [2][levels]float64
}

// measure adds an image.
func (c *colours) measure(p *ycc) {
	y, u, v := p.y, p.u, p.v
	for i := range y {
		l := level(y[i])
		c.count[l]++
		cu, cv := float64(u[i]), float64(v[i])
		c.sum[0][l] += cu
		c.sum2[0][l] += cu * cu
		c.sum[1][l] += cv
		c.sum2[1][l] += cv * cv
	}
}

func (c *colours) add(o *colours) {
	for l := range levels {
		c.count[l] += o.count[l]
		for k := range 2 {
			c.sum[k][l] += o.sum[k][l]
			c.sum2[k][l] += o.sum2[k][l]
		}
	}
}

// statistics returns the shares of the levels and the moments of chroma.
func (c *colours) statistics() (share []float64, chroma [2]Moments) {
	total := 0.0
	for _, n := range c.count {
		total += n
	}
	share = make([]float64, levels)
	for k := range chroma {
		chroma[k] = Moments{Mean: make([]float64, levels), Variance: make([]float64, levels)}
	}
	for l, n := range c.count {
		if n == 0 {
			continue
		}
		share[l] = n / total
		for k := range chroma {
			mean := c.sum[k][l] / n
			chroma[k].Mean[l] = mean
			chroma[k].Variance[l] = max(c.sum2[k][l]/n-mean*mean, 0)
		}
	}
	return share, chroma
}

// look is the light and the colour of a whole image.
type look struct {
	light float64    // log of the mean luma
	cast  [2]float64 // mean U and V over mean luma: a cast of the light is proportional to it
}

// look returns an image's, after the maps.
func (c *colours) look(tone []float64, chroma [2]Affine) look {
	n, y := 0.0, 0.0
	var uv [2]float64
	for l := range levels {
		n += c.count[l]
		y += c.count[l] * tone[l]
		for k := range uv {
			uv[k] += chroma[k].Gain[l]*c.sum[k][l] + chroma[k].Shift[l]*c.count[l]
		}
	}
	return newLook(y/n, uv[0]/n, uv[1]/n)
}

// newLook is of an image of the given means.
func newLook(y, u, v float64) look {
	y = max(y, 1) // of a black frame there is nothing to say
	return look{light: math.Log(y), cast: [2]float64{u / y, v / y}}
}

// balanced adds to c the sums of an image that is multiplied by gain after the
// cast is taken off.
func (c *colours) balanced(o *colours, b correction) {
	for l := range levels {
		n := o.count[l]
		if n == 0 {
			continue
		}
		y := min(b.gain*float64(l), levels-1)
		at := min(int(y), levels-2)
		high := y - float64(at)
		for i, w := range [2]float64{1 - high, high} { // the share of the level below and above
			c.count[at+i] += w * n
			for k := range 2 {
				// Σ (g·(x − δ))² = g²·(Σx² − 2δ·Σx + n·δ²) with δ = cast·l.
				d := b.cast[k] * float64(l)
				c.sum[k][at+i] += w * b.gain * (o.sum[k][l] - n*d)
				c.sum2[k][at+i] += w * b.gain * b.gain * (o.sum2[k][l] - 2*d*o.sum[k][l] + n*d*d)
			}
		}
	}
}

// correction of an image's light and colour: x → gain·(x − cast·luma) for
// chroma x, gain·luma for luma.
type correction struct {
	gain float64
	cast [2]float64
}
