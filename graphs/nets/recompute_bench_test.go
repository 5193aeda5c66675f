package nets

import (
	"slices"
	"testing"
	"time"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/peaktest"
)

// BenchmarkRecompute measures a student term of BenchmarkNetworks with and without recomputation:
// the peak memory of a process that runs two, and seconds in turn, with their ratio.
func BenchmarkRecompute(b *testing.B) {
	for _, c := range []Arch{
		{Encoder: "mit_b0", Head: "segformer", HeadWidth: 256},
		{Encoder: "mit_b5", Head: "daformer", HeadWidth: 256},
		{Encoder: "resnet101", Head: "deeplabv2"},
		{Encoder: "dinov2_vits14", Head: "segformer", HeadWidth: 256},
		{Encoder: "mobilenet_v2", Head: "segformer", HeadWidth: 256},
	} {
		c.Classes, c.DropPath, c.Dropout = 19, 0.1, 0.1
		name := c.Encoder + "/" + c.Head
		terms := map[string]*studentTerm{"none": {arch: imageNet(c)}, "blocks": {arch: imageNet(c), recompute: true}}
		for _, way := range []string{"none", "blocks"} {
			b.Run(name+"/peak/"+way, func(b *testing.B) {
				peaktest.Report(b, func() { enginetest.Library(b) }, func() {
					binding := terms[way].bind(b)
					run(b, binding)
					run(b, binding)
				})
			})
		}
		b.Run(name+"/time", func(b *testing.B) { inTurn(b, terms["none"], terms["blocks"]) })
	}
}

// inTurn runs two terms one after the other and reports the median seconds of each and of the ratio,
// and the ratio of what all cores spend on them, which other work on the machine changes less.
func inTurn(b *testing.B, without, with *studentTerm) {
	b.Helper()
	first, second := without.bind(b), with.bind(b)
	timed := func(binding *engine.Binding) (seconds, cores float64) {
		start, before := time.Now(), processorSeconds(b)
		run(b, binding)
		return time.Since(start).Seconds(), processorSeconds(b) - before
	}
	run(b, first) // the arena grows
	run(b, second)
	var plain, again, ratio, cores []float64
	for b.Loop() {
		x, coresX := timed(first)
		y, coresY := timed(second)
		plain, again, ratio, cores = append(plain, x), append(again, y), append(ratio, y/x), append(cores, coresY/coresX)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(plain), "s-none")
	b.ReportMetric(middle(again), "s-blocks")
	b.ReportMetric(middle(ratio), "x-time")
	b.ReportMetric(middle(cores), "x-cores")
}

// middle is the median.
func middle(x []float64) float64 { return slices.Sorted(slices.Values(x))[len(x)/2] }
