package predict

// Probabilities calls row with the probabilities of the model's classes at w × h positions
// that lie evenly over the image, row by row: [C,w], which are valid during the call, of
// pixels in the sizes and views that the labels are made of. Channels that stand for one
// class are added up; what the model gives to those that stand for none is missing, so
// that a pixel's sum is less than 1 there. It reports false, without calling row, where the
// model tells none: label maps and scores of one channel.
func (t *Task) Probabilities(w, h int, row func(y int, values []float32)) bool {
	m, probabilities, ok := t.likelihoods()
	if !ok {
		return false
	}
	classes := len(t.p.Space().Classes)
	out := make([]float32, classes*w)
	m.each(w, h, func(y int, values []float32) {
		if !probabilities {
			softmax(values, m.c, negligible)
		}
		clear(out)
		for x := range w {
			sum := float32(0)
			for c := range m.c {
				sum += values[c*w+x]
			}
			for c := range m.c {
				if k := t.p.reading.classes.channel(c); k < classes {
					out[k*w+x] += values[c*w+x] / sum
				}
			}
		}
		row(y, out)
	})
	return true
}

// channel returns the train id that a channel stands for; of void it is beyond all classes.
func (c classes) channel(n int) int {
	if c.table == nil {
		return n
	}
	return c.table[n]
}
