package orchestrator

import (
	"path/filepath"
	"testing"

	"t2sda/configs"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
)

// TestRunInverted trains EfficientNet-Lite0 by all terms, and MobileNetV2 with frozen batch norms,
// with Lite R-ASPP end to end: the exported model agrees with the network, and says by what its encoder's input is
// normalised inside.
func TestRunInverted(t *testing.T) {
	enginetest.Isolate(t)
	e := enginetest.Open(t, engine.Options{})
	root := t.TempDir()
	writeShapes(t, root)
	for _, run := range []struct {
		encoder, bn string
		method      configs.Method
	}{
		{"mobilenet_v2", nets.BNFrozen, configs.SourceOnly},
		{"efficientnet_lite0", nets.BNBatch, configs.T2S},
	} {
		t.Run(run.encoder, func(t *testing.T) {
			c := shapesConfig(root, t.TempDir())
			c.Method, c.Train.Iterations, c.Train.EvalEvery = run.method, 2, 0
			c.Model.Encoder, c.Model.Head, c.Model.EncoderBN = run.encoder, "lraspp", run.bn
			out, err := Run(t.Context(), c, quiet())
			if err != nil {
				t.Fatal(err)
			}
			if out.Agreement < 0.999 {
				t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
			}
			p, err := predict.Open(e, filepath.Join(out.Dir, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			mean, std := nets.Input(run.encoder)
			if got := p.Metadata().Inside; got.Mean != mean || got.Std != std {
				t.Errorf("normalised by %v inside, want %v and %v", got, mean, std)
			}
		})
	}
}
