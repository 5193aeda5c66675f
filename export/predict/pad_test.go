package predict

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/pad"
)

// TestReflectByHand continues 3×2 pixels to 6×4, in three planes and interleaved:
// abc|bab over def, and the rows above once more below.
func TestReflectByHand(t *testing.T) {
	from, to := pad.Size{W: 3, H: 2}, pad.Size{W: 6, H: 4}
	rows := []byte("abcbab" + "defede" + "abcbab" + "defede")
	var planar, interleaved, srcPlanar, srcInterleaved []byte
	for p := range byte(3) {
		for _, v := range rows {
			planar = append(planar, v+100*p)
		}
		for _, v := range []byte("abcdef") {
			srcPlanar = append(srcPlanar, v+100*p)
		}
	}
	for _, v := range rows {
		interleaved = append(interleaved, v, v+100, v+200)
	}
	for _, v := range []byte("abcdef") {
		srcInterleaved = append(srcInterleaved, v, v+100, v+200)
	}
	got := make([]byte, len(planar))
	spread(got, srcPlanar, from, to, true)
	if diff := cmp.Diff(planar, got); diff != "" {
		t.Error("planar:", diff)
	}
	spread(got, srcInterleaved, from, to, false)
	if diff := cmp.Diff(interleaved, got); diff != "" {
		t.Error("interleaved:", diff)
	}
	single := make([]byte, 3*4)
	spread(single, []byte{1, 2, 3}, pad.Size{W: 1, H: 1}, pad.Size{W: 2, H: 2}, true)
	if diff := cmp.Diff([]byte{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}, single); diff != "" {
		t.Error("one pixel:", diff)
	}
}
