package learner

import (
	"fmt"
	"math"
)

// LossScale is what losses are multiplied by before their gradients are taken, so that
// small cotangents are not 0 in float16, whose smallest number is 2^-24. It is a power of
// two, so that scaling and unscaling round nothing. Gradients that are not finite were
// scaled too far: the update is left out and the scale halved. After a while without any
// it is doubled (Micikevicius et al., ICLR 2018, §3.2; the numbers are those of PyTorch's
// GradScaler).
type LossScale struct {
	Scale   float64 `json:"scale"`
	Good    int     `json:"good"`    // updates since it changed
	Skipped int     `json:"skipped"` // updates left out so far
}

const (
	firstScale = 1 << 16
	growEvery  = 2000 // updates
	// The scale stays within these: gradients that are not finite without any are no
	// matter of scale, and where they are all 0 it would grow for ever.
	leastScale = 1
	mostScale  = 1 << 24
)

func newLossScale() *LossScale { return &LossScale{Scale: firstScale} }

// Validate refuses what no run leaves behind.
func (s *LossScale) Validate() error {
	fraction, _ := math.Frexp(s.Scale)
	if fraction != 0.5 || s.Scale < leastScale || s.Scale > mostScale || s.Good < 0 || s.Good >= growEvery || s.Skipped < 0 {
		return fmt.Errorf("loss scale %g, %d updates good, %d skipped: want a power of two from %d to %d, and counts from 0 up", s.Scale, s.Good, s.Skipped, leastScale, mostScale)
	}
	return nil
}

// succeeded notes an update that was made.
func (s *LossScale) succeeded() {
	if s.Good++; s.Good == growEvery {
		s.Scale, s.Good = min(2*s.Scale, mostScale), 0
	}
}

// overflowed notes one that was left out, and reports whether a smaller scale may help.
func (s *LossScale) overflowed() bool {
	if s.Scale <= leastScale {
		return false
	}
	s.Scale, s.Good = s.Scale/2, 0
	s.Skipped++
	return true
}

// LossScale returns the scale of the next iteration, nil where nothing is scaled.
func (l *Learner) LossScale() *LossScale {
	if l.scaling == nil {
		return nil
	}
	scale := *l.scaling
	return &scale
}

// SetLossScale goes on with the scale of another learner, which must be there if this one
// scales.
func (l *Learner) SetLossScale(s *LossScale) error {
	if (s == nil) != (l.scaling == nil) {
		return fmt.Errorf("loss scale: %t in the state, %t in the configuration", s != nil, l.scaling != nil)
	}
	if s == nil {
		return nil
	}
	*l.scaling = *s
	return s.Validate()
}
