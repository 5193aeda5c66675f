package learner

import (
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
)

// smallHRDA is [small] with two resolutions and masked images.
func smallHRDA() configs.Config {
	c := small()
	c.Method, c.Loss.Mask.Block = "t2s+mask", 16
	c.Model.HRDA = configs.HRDA{Detail: configs.Size{Width: 32, Height: 32}, Weight: 0.1, Attention: 8}
	return c
}

func TestHRDASmoke(t *testing.T) {
	l := open(t, smallHRDA(), zap.NewNop())
	for _, s := range train(t, l, 0, 3) {
		t.Log(s.Losses, s.Quality, s.Seconds)
	}
}
