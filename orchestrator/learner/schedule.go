package learner

import (
	"math"

	"t2sda/configs"
)

// LearningRate returns the encoder's learning rate at iteration t (from 0):
// polynomial decay (1 − t/T)^power, and during warm-up a factor that rises
// linearly from WarmupRatio to 1 (mmcv's "poly" policy with linear warm-up,
// which DAFormer uses). T is the run's length; of a run that was extended, up to
// where it was extended, the length that it had.
func LearningRate(c configs.Train, t int) float64 {
	lr := c.LR * math.Pow(1-float64(t)/float64(c.Phase(t)), c.Power)
	if t < c.Warmup {
		k := (1 - float64(t)/float64(c.Warmup)) * (1 - c.WarmupRatio)
		lr *= 1 - k
	}
	return lr
}

// emaDecay returns α_t = min(1 − 1/(t+1), α): 0 at t = 0, so that the teacher
// starts as a copy (Tarvainen and Valpola 2017).
func emaDecay(alpha float64, t int) float64 {
	return min(1-1/float64(t+1), alpha)
}
