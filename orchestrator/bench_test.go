package orchestrator

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/peaktest"
	"t2sda/orchestrator/trial"
)

// BenchmarkStep times iterations of the embedded run (method t2s) on pictures of
// its kind:
//
//	%outside  share of the wall time that was not spent inside of ONNX Runtime
//	%waiting  the part of it that waited for the loader
//
// The stages' mean times are logged.
func BenchmarkStep(b *testing.B) {
	t, stream := newStreetsTrainer(b)
	inside := trial.NewClock(b.Context())
	stages, it := map[string]float64{}, 0
	step := func() {
		e, err := t.iterate(inside, it, stream)
		if err != nil {
			b.Fatal(err)
		}
		for name, s := range e.Seconds {
			stages[name] += s
		}
		it++
	}
	const warmup, runs = 3, 6 // the teacher twice, L_S on both domains, L_T, L_pull
	for range warmup {
		step()
	}
	if inside.Calls != runs*warmup {
		b.Fatalf("%d runs of ONNX Runtime in %d iterations, not %d each", inside.Calls, warmup, runs)
	}
	clear(stages)
	inside.Spent = 0
	for b.Loop() {
		step()
	}
	whole := b.Elapsed().Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1000*whole/float64(b.N), "ms/step")
	b.ReportMetric(100*(1-inside.Spent.Seconds()/whole), "%outside")
	b.ReportMetric(100*stages["data"]/whole, "%waiting")
	var means []string
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		means = append(means, fmt.Sprintf("%s %.1f", name, 1000*stages[name]/float64(b.N)))
	}
	b.Log("ms per stage: ", strings.Join(means, ", "))
}

// newStreetsTrainer makes the preset's trainer; its worlds have fewer pictures.
func newStreetsTrainer(b *testing.B) (*trainer, *datasets.Stream) {
	b.Helper()
	enginetest.Isolate(b)
	root := b.TempDir()
	game, camera := filepath.Join(root, "game"), filepath.Join(root, "camera")
	c, err := configs.Load("streets", []string{
		"train.adapt_after=0", // every step is a whole one
		"data.source.root=" + game, "data.target.root=" + camera, "data.eval.root=" + camera,
		"data.streets.train=40", "data.streets.val=1", "output=" + root,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := renderStreets(b.Context(), c, quiet()); err != nil {
		b.Fatal(err)
	}
	e, err := openEngine(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	d, err := openData(b.Context(), c, "", e, b.TempDir(), quiet().Log, nil)
	if err != nil {
		b.Fatal(err)
	}
	t, err := newTrainer(c, root, quiet(), e, d)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.close() })
	stream := d.loader.Stream(b.Context(), 0)
	b.Cleanup(stream.Close)
	return t, stream
}

// BenchmarkPeakMemory measures a fresh process that runs steps of BenchmarkStep.
func BenchmarkPeakMemory(b *testing.B) {
	b.Run("step", func(b *testing.B) {
		peaktest.Report(b, func() { enginetest.Isolate(b) }, func() {
			t, stream := newStreetsTrainer(b)
			for it := range 10 {
				if _, err := t.iterate(b.Context(), it, stream); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
