package learner

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
)

// adaptingBy is small on a reduced DINOv2, whose encoder is trained in a way.
func adaptingBy(way string) configs.Config {
	c := small()
	c.Model.Encoder, c.Model.EncoderTrain, c.Model.LoRA.Rank = "dinov2_nano", way, 8
	c.Train.LR = 1e-2
	return c
}

// openFrom makes c's learner, from the weights of an encoder that is trained whole.
func openFrom(t *testing.T, c configs.Config, arena newArena) *Learner {
	t.Helper()
	whole := c
	whole.Method, whole.Model.EncoderTrain, whole.Model.Init, whole.Seed = configs.SourceOnly, "", "", 9
	have := slices.DeleteFunc(tensors(t, open(t, whole, zap.NewNop()).Parts()[0]), func(x weights.Tensor) bool {
		return !weights.IsEncoder(weights.Info{Name: x.Name})
	})
	l, err := New(enginetest.Open(t, engine.Options{IntraOpThreads: 1}), Options{
		Config: c, Space: shapesSpace(), Initial: have, Source: "whole.safetensors", Log: zap.NewNop(), Arena: arena,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestArenasHoldWhatTrains: of an encoder with adapters these alone have gradients,
// moments and a teacher, of a frozen one nothing. A block of dinov2_nano has adapters
// of queries and values, A [8,64] and B [64,8]; four blocks, 8192 values.
func TestArenasHoldWhatTrains(t *testing.T) {
	const adapters = 4 * 2 * 2 * 8 * 64
	head := 0
	for _, c := range []struct {
		way     string
		encoder int // trained values
		fixed   bool
	}{{configs.TrainAll, 0, false}, {configs.TrainFrozen, 0, true}, {configs.TrainLoRA, adapters, true}} {
		s, err := newState(Arch(adaptingBy(c.way), 3), true, configs.Default().Train, 1, onHost)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		encoder := 0
		for _, p := range s.specs {
			if p.Group == nets.Encoder {
				encoder += p.Shape.Size()
			}
		}
		if c.way == configs.TrainAll {
			head, c.encoder = s.size-encoder, encoder
		}
		if encoder != c.encoder || s.size != c.encoder+head {
			t.Errorf("%s: %d values are trained, %d of the encoder; want %d and %d", c.way, s.size, encoder, c.encoder+head, c.encoder)
		}
		for name, a := range map[string]engine.Arena{"student": s.student, "teacher": s.teacher, "gradients": s.grads, "m": s.moment1, "v": s.moment2} {
			if n := len(a.Host()); n != s.size {
				t.Errorf("%s: the arena of the %s holds %d values, want %d", c.way, name, n, s.size)
			}
		}
		if fixed := s.base.arena != nil; fixed != c.fixed {
			t.Errorf("%s: fixed tensors: %t", c.way, fixed)
		}
	}
}

// TestFixedEncoder trains adapters of a DINOv2 and of a Mix Transformer, and the heads
// of frozen encoders, a ResNet among them: what is fixed stays bit by bit, everything
// else moves; a run that is restored in the middle, and one in memory that only
// sessions touch, do the same to the bit.
func TestFixedEncoder(t *testing.T) {
	for _, m := range []struct{ encoder, way string }{
		{"dinov2_nano", configs.TrainLoRA},
		{"mit_nano", configs.TrainLoRA},
		{"dinov2_nano", configs.TrainFrozen},
		{"resnet_nano", configs.TrainFrozen},
		{"mobilenet_v2", configs.TrainFrozen},
	} {
		t.Run(m.encoder+"/"+m.way, func(t *testing.T) {
			c := adaptingBy(m.way)
			c.Model.Encoder = m.encoder
			l, resident := openFrom(t, c, nil), openFrom(t, c, guarded)
			before := clones(tensors(t, l.Parts()[0]))
			for i := range 3 {
				copyState(t, resident, l)
				compareLosses(t, i, train(t, resident, i, i+1)[0], train(t, l, i, i+1)[0])
			}
			for i, x := range tensors(t, l.Parts()[0]) {
				fixed := strings.HasPrefix(x.Name, "backbone.") && !strings.Contains(x.Name, ".lora_") ||
					strings.HasPrefix(x.Name, "projector.") && strings.Contains(x.Name, ".running_") // the pull moves no statistics
				if same := slices.Equal(x.Data, before[i].Data); same != fixed {
					t.Errorf("%s is as it was: %t", x.Name, same)
				}
			}
		})
	}
}

func clones(list []weights.Tensor) []weights.Tensor {
	out := slices.Clone(list)
	for i := range out {
		out[i].Data = slices.Clone(out[i].Data)
	}
	return out
}

// TestAdaptersStartAsNothing: before the first step adapters change no loss.
func TestAdaptersStartAsNothing(t *testing.T) {
	lora, frozen := adaptingBy(configs.TrainLoRA), adaptingBy(configs.TrainFrozen)
	lora.Model.DropPath = 0
	a, b := train(t, openFrom(t, lora, nil), 0, 1)[0], train(t, openFrom(t, frozen, nil), 0, 1)[0]
	if !maps.Equal(a.Losses, b.Losses) {
		t.Errorf("losses %v with adapters, %v without", a.Losses, b.Losses)
	}
}

// TestFeatureDistanceOfAdapters: the features to stay near are those without adapters,
// so at first the distance is 0; a frozen encoder has none.
func TestFeatureDistanceOfAdapters(t *testing.T) {
	c := adaptingBy(configs.TrainLoRA)
	c.Model.Init, c.Model.DropPath = "whole.safetensors", 0
	c.Loss.FeatureDistance = configs.FeatureDistance{Weight: 0.05, Classes: []string{"box", "disc"}, Ratio: 0.3}
	s := train(t, openFrom(t, c, nil), 0, 2)
	if first, second := s[0].Losses["feature_distance"], s[1].Losses["feature_distance"]; first > 1e-5 || !(second > 1e-4) {
		t.Errorf("distances %g, %g", first, second)
	}
	c.Model.EncoderTrain = configs.TrainFrozen
	if l := openFrom(t, c, nil); l.frozen != nil {
		t.Error("a frozen encoder stays near itself")
	}
}
