package learner

import (
	"strings"
	"testing"
)

// TestLossScale: it is halved by an overflow and doubled after a while without, within its limits.
func TestLossScale(t *testing.T) {
	s := newLossScale()
	if s.Scale != 65536 || s.Validate() != nil {
		t.Fatalf("begins with %+v", *s)
	}
	for range growEvery - 1 {
		s.succeeded()
	}
	if want := (LossScale{65536, growEvery - 1, 0}); *s != want || s.Validate() != nil {
		t.Errorf("have %+v, want %+v", *s, want)
	}
	s.succeeded()
	if want := (LossScale{131072, 0, 0}); *s != want {
		t.Errorf("grown: have %+v, want %+v", *s, want)
	}
	s.succeeded()
	if again := s.overflowed(); !again || *s != (LossScale{65536, 0, 1}) {
		t.Errorf("halved: have %+v, %t", *s, again)
	}
	s.Scale, s.Good = mostScale, growEvery-1
	if s.succeeded(); s.Scale != mostScale || s.Good != 0 {
		t.Errorf("at the top: have %+v", *s)
	}
	s.Scale = 2
	if first, second := s.overflowed(), s.overflowed(); !first || second || *s != (LossScale{1, 0, 2}) {
		t.Errorf("at the bottom: have %+v, %t, %t", *s, first, second)
	}
}

// TestLossScaleValidate refuses what no run leaves behind.
func TestLossScaleValidate(t *testing.T) {
	for _, s := range []LossScale{{}, {Scale: -2}, {Scale: 3}, {Scale: 0.5}, {Scale: 1 << 25}, {2, -1, 0}, {2, growEvery, 0}, {2, 0, -1}} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "power of two") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
