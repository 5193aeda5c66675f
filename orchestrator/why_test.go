package orchestrator

import (
	"context"
	"errors"
	"math"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/translate"
)

// TestWhyOfMethods: each method shows what it has.
func TestWhyOfMethods(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	for _, c := range []struct {
		method, engine      string
		translated, similar bool
		looks               int
	}{
		{configs.SourceOnly, "", false, true, 0},
		{configs.Translated, "fda", true, true, 3},
		{configs.SelfTraining, "", false, true, 3},
		{configs.T2S, "fda", true, true, 3},
		{configs.Generalise, "jitter", true, true, 3}, // beside the evaluation's images
		{configs.TargetOnly, "", false, false, 0},
	} {
		t.Run(c.method, func(t *testing.T) {
			cfg := shapesConfig(root, t.TempDir())
			cfg.Method = configs.Method(c.method)
			if c.engine != "" {
				cfg.Translate.Engine = configs.Engines{c.engine: 1}
			}
			if c.method == configs.TargetOnly {
				cfg.Data.Target = cfg.Data.Eval
			}
			tr := openTrainer(t, cfg)
			w, err := tr.why(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(w.Looks.Charts) != c.looks || w.Looks.Engine != c.engine {
				t.Errorf("%d charts of engine %q", len(w.Looks.Charts), w.Looks.Engine)
			}
			for _, l := range w.Looks.Charts {
				if (l.Translated != nil) != c.translated || len(l.Source) != len(l.X) || len(l.Target) != len(l.X) {
					t.Errorf("chart %s has lines of %d, %d and %d points over %d", l.Title, len(l.Source), len(l.Translated), len(l.Target), len(l.X))
				}
			}
			if (w.Alike.After != nil) != c.similar || w.Alike.Before != nil {
				t.Errorf("similarity %v, before %v", w.Alike.After, w.Alike.Before)
			}
			for _, s := range w.Alike.After { // all three classes are in both domains
				if !(s >= -1 && s <= 1+1e-9) {
					t.Errorf("similarities %v", w.Alike.After)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := tr.why(ctx, nil); c.similar && !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

// TestLookLines: by hand. A quarter of the pixels is black, the rest white; two
// bands of luma are there, the others say nothing of noise.
func TestLookLines(t *testing.T) {
	a := &translate.Appearance{Luma: make([]float64, 256), Spectrum: [2][]float64{{100, 1}}}
	a.Luma[0], a.Luma[255] = 0.25, 0.75
	a.Noise[0].Fine = make([]float64, 16)
	a.Noise[0].Fine[0], a.Noise[0].Fine[15] = 3, 2
	if x, y := toneLine(a); x[254] != 254 || y[0] != 25 || y[254] != 25 || y[255] != 100 {
		t.Errorf("tone %v at %v", y, x)
	}
	if x, y := detailLine(a); x[0] != 0.25 || x[1] != 0.5 || y[0] != 20 || y[1] != 0 {
		t.Errorf("detail %v at %v", y, x)
	}
	if x, y := noiseLine(a); x[0] != 8 || x[15] != 248 || y[0] != 3 || y[15] != 2 || !math.IsNaN(y[7]) {
		t.Errorf("noise %v at %v", y, x)
	}
}
