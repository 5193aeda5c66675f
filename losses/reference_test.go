package losses

import "math"

// The losses in float64, written as their equations read: the oracle of the
// graph builders. Operands are those of the builders.

func refCrossEntropy(logits []float64, n, c, h, w int, labels []int, weights []float64, height, width int) float64 {
	loss := 0.0
	for i := range n {
		for y := range height {
			for x := range width {
				pixel := (i*height+y)*width + x
				var sum, own float64
				for class := range c {
					v := refBilinear(logits[(i*c+class)*h*w:][:h*w], h, w, height, width, y, x)
					sum += math.Exp(v)
					if class == labels[pixel] {
						own = v
					}
				}
				loss += weights[pixel] * (math.Log(sum) - own)
			}
		}
	}
	return loss
}

// refBilinear samples map m [h,w] at pixel (y,x) of its height×width version,
// with half-pixel centres and clamping at the border.
func refBilinear(m []float64, h, w, height, width, y, x int) float64 {
	y0, y1, fy := refTaps(h, height, y)
	x0, x1, fx := refTaps(w, width, x)
	top := m[y0*w+x0]*(1-fx) + m[y0*w+x1]*fx
	bottom := m[y1*w+x0]*(1-fx) + m[y1*w+x1]*fx
	return top*(1-fy) + bottom*fy
}

func refTaps(from, to, i int) (low, high int, frac float64) {
	at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
	at = min(max(at, 0), float64(from-1))
	low = int(at)
	return low, min(low+1, from-1), at - float64(low)
}

// refPull holds the operands of both pulls in float64.
type refPull struct {
	features                     []float64
	n, d, h, w                   int
	index                        []int
	weights                      []float64 // [B,Q]
	positives                    []float64 // [B,D]
	negatives                    []float64 // [C,m,D]
	blockClass                   []int
	blocks, queries, m, nClasses int
}

func (p *refPull) query(i int) []float64 {
	q := make([]float64, p.d)
	image, at := p.index[i]/(p.h*p.w), p.index[i]%(p.h*p.w)
	for k := range q {
		q[k] = p.features[(image*p.d+k)*p.h*p.w+at]
	}
	return q
}

func (p *refPull) infoNCE(tau float64) float64 {
	loss := 0.0
	for i := range p.index {
		b := i / p.queries
		q := p.query(i)
		logits := []float64{refDot(q, p.positives[b*p.d:][:p.d]) / tau}
		for j := range p.m {
			logits = append(logits, refDot(q, p.negatives[(p.blockClass[b]*p.m+j)*p.d:][:p.d])/tau)
		}
		largest, sum := math.Inf(-1), 0.0
		for _, v := range logits {
			largest = max(largest, v)
		}
		for _, v := range logits {
			sum += math.Exp(v - largest)
		}
		loss += p.weights[i] * (largest + math.Log(sum) - logits[0])
	}
	return loss
}

func (p *refPull) mse() float64 {
	loss := 0.0
	for i := range p.index {
		for k, v := range p.query(i) {
			d := v - p.positives[i/p.queries*p.d+k]
			loss += p.weights[i] * d * d
		}
	}
	return loss
}

func refDot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// refSoftmax returns the distribution [C] at pixel (y,x) of image n of enlarged logits.
func refSoftmax(logits []float64, n, c, h, w, y, x, height, width int) []float64 {
	p, sum := make([]float64, c), 0.0
	for class := range p {
		p[class] = math.Exp(refBilinear(logits[(n*c+class)*h*w:][:h*w], h, w, height, width, y, x))
		sum += p[class]
	}
	for class := range p {
		p[class] /= sum
	}
	return p
}
