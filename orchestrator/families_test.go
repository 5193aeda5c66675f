package orchestrator

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/orchestrator/learner"
)

// TestFamiliesResume: a run that was stopped ends as one that was not, with what terms keep
// beside the networks: a discriminator, class priors, prototypes and remembered features,
// remembered regions, thresholds, anchors.
func TestFamiliesResume(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	methods := []configs.Method{configs.FADA, configs.SAC, configs.CPSL, configs.RCCR}
	if os.Getenv(longEnv) != "" {
		methods = append(methods, configs.AdvEnt, configs.IAST, configs.ProDA, configs.PLCA, configs.SePiCo)
	}
	for _, method := range methods {
		c := shapesConfig(root, t.TempDir())
		c.Method, c.Loss.Adversarial.Width, c.Loss.ClassAdversarial.Width = method, 4, 8
		c.Loss.Cluster.Memory, c.Loss.Regions.Memory = 600, 30
		whole, score := train(t, c)
		stopAfter(t, c, " 3/6 ")
		o := quiet()
		o.Resume = true
		got, err := Run(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := lossLines(t, whole), lossLines(t, got.Dir); !slices.Equal(a, b) || score.MIoU != got.Result.MIoU {
			t.Errorf("%s, uninterrupted:\n%s\nresumed:\n%s", method, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
}

// TestDiscriminatorDiverges: one message, with the learning rate that is too high.
func TestDiscriminatorDiverges(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Method, c.Loss.Adversarial.Width, c.Loss.Adversarial.LR = configs.AdaptSegNet, 4, 1e38
	_, err := Run(t.Context(), c, quiet())
	if !errors.Is(err, learner.ErrDiscriminator) || !strings.Contains(err.Error(), "discriminator: ") || !strings.Contains(err.Error(), "lower loss.adversarial.lr (now 1e+38) in a new run") ||
		strings.Contains(err.Error(), "train.lr") {
		t.Errorf("have %v", err)
	}
	c = shapesConfig(root, t.TempDir())
	c.Method, c.Loss.ClassAdversarial.Width, c.Loss.ClassAdversarial.LR = configs.FADA, 8, 1e38
	_, err = Run(t.Context(), c, quiet())
	if !errors.Is(err, learner.ErrClassDiscriminator) || !strings.Contains(err.Error(), "class discriminator: ") || !strings.Contains(err.Error(), "lower loss.class_adversarial.lr (now 1e+38) in a new run") {
		t.Errorf("have %v", err)
	}
}
