package predict

import "math"

// Confidence says how sure the model is: 255 times the probability (softmax) of the
// most probable class, W × H of them.
type Confidence struct {
	W, H int
	Pix  []uint8
}

// Confidence returns the model's confidence in its labels at w × h positions that lie
// evenly over the image, nil where the model tells none: label maps and scores of one
// channel.
func (t *Task) Confidence(w, h int) *Confidence {
	m, probabilities, ok := t.likelihoods()
	if !ok {
		return nil
	}
	out := &Confidence{W: w, H: h, Pix: make([]uint8, w*h)}
	m.certainty(w, h, probabilities, func(i int, p float32) { out.Pix[i] = uint8(math.Round(255 * float64(p))) })
	return out
}

// certainty calls f with the probability of the most probable class at each of w × h
// positions that lie evenly over the map, row by row. It holds logits, or multiples of
// probabilities.
func (m logitMap) certainty(w, h int, probabilities bool, f func(i int, p float32)) {
	m.each(w, h, func(y int, values []float32) {
		if !probabilities {
			softmax(values, m.c, negligible)
		}
		for x := range w {
			most, sum := float32(0), float32(0)
			for c := range m.c {
				v := values[c*w+x]
				most, sum = max(most, v), sum+v
			}
			f(y*w+x, min(most/sum, 1))
		}
	})
}

// likelihoods returns the logits of the image, or its probabilities times the number of
// views where there were several.
func (t *Task) likelihoods() (m logitMap, probabilities, ok bool) {
	if t.p.infer.direct() {
		if t.slots[0].grid.kind != logits {
			return m, false, false
		}
		return t.slots[0].logits(), false, true
	}
	return t.tally.result, t.tally.summed > 0, t.tally.kind == logits
}
