package orchestrator

import (
	"path/filepath"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
)

// TestRunResNet trains a ResNet with DeepLabV2's head end to end, by all terms, with batch norms
// that are trained and with frozen ones: those are in the checkpoint as they began, and the
// exported model agrees with the network.
func TestRunResNet(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	for _, bn := range []string{nets.BNBatch, nets.BNFrozen} {
		t.Run(bn, func(t *testing.T) {
			c := shapesConfig(root, t.TempDir())
			c.Method, c.Train.Iterations, c.Train.EvalEvery = configs.T2S, 3, 0
			c.Model.Encoder, c.Model.Head, c.Model.ProjectorInput = "resnet_nano", "deeplabv2", nets.ProjectLast
			c.Model.Stem, c.Model.EncoderBN, c.Model.Dilations = nets.StemPlain, bn, []int{6, 12, 18, 24}
			out, err := Run(t.Context(), c, quiet())
			if err != nil {
				t.Fatal(err)
			}
			if out.Agreement < 0.999 {
				t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
			}
			tensors, _, err := weights.Load(filepath.Join(out.Dir, checkpointDir, "iter_000003", studentFile))
			if err != nil {
				t.Fatal(err)
			}
			moved, norms := 0, 0
			for _, x := range tensors {
				if !strings.HasPrefix(x.Name, "backbone.") || len(x.Shape) != 1 {
					continue
				}
				start := float32(0)
				if strings.HasSuffix(x.Name, ".weight") || strings.HasSuffix(x.Name, "_var") {
					start = 1
				}
				norms++
				for _, v := range x.Data {
					if v != start {
						moved++
						break
					}
				}
			}
			want := norms
			if bn == nets.BNFrozen {
				want = 0
			}
			if norms != 4*(1+4*4) || moved != want {
				t.Errorf("%d of %d tensors of batch norms moved, want %d", moved, norms, want)
			}
		})
	}
}
