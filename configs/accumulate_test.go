package configs

import (
	"strings"
	"testing"
)

// TestForRanks: processes share the micro-batches out, of which there is one for each
// where nothing is said.
func TestForRanks(t *testing.T) {
	thresholds := Default()
	thresholds.Method = CBST
	if _, err := thresholds.ForRanks(2); err == nil || !strings.Contains(err.Error(), "train.accumulate: term select takes no batches of several") {
		t.Errorf("cbst by two processes: %v", err)
	}
	for _, k := range []struct {
		accumulate, ranks, want int
		fault                   string
	}{
		{0, 1, 0, ""},
		{1, 1, 1, ""},
		{0, 4, 4, ""},
		{4, 1, 4, ""},
		{4, 2, 4, ""},
		{4, 3, 4, ""},
		{1, 2, 1, "want at least 2, so that each of 2 processes has a micro-batch of train.batch images, have 1"},
		{2, 4, 2, "want at least 4"},
	} {
		c := Default()
		c.Train.Accumulate = k.accumulate
		got, err := c.ForRanks(k.ranks)
		if got.Train.Accumulate != k.want || (err == nil) != (k.fault == "") || err != nil && !strings.Contains(err.Error(), k.fault) {
			t.Errorf("%+v: %d, %v", k, got.Train.Accumulate, err)
		}
		if n := got.Train.MicroBatches(); n < 1 {
			t.Errorf("%+v: %d micro-batches", k, n)
		}
	}
}
