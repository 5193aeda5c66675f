package bench

import (
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"
)

// BenchmarkPeer compares the student's supervised term (MiT-B0, SegFormer head, 2×3×512×512)
// with PyTorch's, in turn, where [PeerEnv] names a Python that has it:
//
//	x-torch  our time over its, the median of the rounds
func BenchmarkPeer(b *testing.B) {
	python := PeerPython()
	if python == "" {
		b.Skip("no " + PeerEnv)
	}
	row := Row{Network: "mit_b0", Settings: []string{"runtime.device=" + enginetest.Device()}}
	var res PeerResult
	for b.Loop() {
		var err error
		if res, err = Compare(b.Context(), row, python, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op") // set up and warmed up, too
	b.ReportMetric(res.Ours, "s")
	for precision, p := range res.Theirs {
		b.ReportMetric(p.Ratio, "x-torch-"+precision)
		b.ReportMetric(p.Seconds, "torch-"+precision+"-s")
	}
}
