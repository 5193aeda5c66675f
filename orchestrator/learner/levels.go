package learner

import (
	"math"
	"sort"
)

// levels are the probabilities that the bytes of [Soft] labels stand for: t − sin(2πt)/2π of t =
// byte/255. Teachers are sure of most positions: near 0 and 1, where shares of these are told
// apart by thresholds, steps go down to 4e-7, and in the middle they are 2/255.
var levels = func() (of [256]float32) {
	for b := range of {
		t := float64(b) / 255
		of[b] = float32(t - math.Sin(2*math.Pi*t)/(2*math.Pi))
	}
	return of
}()

// levelOf returns the byte that stands for the probability that is nearest to p.
func levelOf(p float32) uint8 {
	above := sort.Search(len(levels)-1, func(b int) bool { return levels[b] >= p })
	if above > 0 && p-levels[above-1] < levels[above]-p {
		above--
	}
	return uint8(above)
}
