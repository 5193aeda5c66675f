package learner

import (
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/internal/ranks"
)

// TestTrafficOf holds what a configuration tells against numbers worked out by hand.
func TestTrafficOf(t *testing.T) {
	roots := []string{"data.source.root=unread", "data.target.root=unread", "data.eval.root=unread"}
	cfg, err := configs.Load("gta5-cityscapes", roots)
	if err != nil {
		t.Fatal(err)
	}
	have, err := TrafficOf(cfg, 19)
	if err != nil {
		t.Fatal(err)
	}
	// 2 + 2 crops of 512×512 at stride 4; 19 classes, features of 256 values.
	const positions = 2 * 128 * 128
	if told := int64(positions*6 + 19*256*8 + 2*256*8); have.Told != told {
		t.Errorf("%d bytes are told, want %d", have.Told, told)
	}
	if drawn := int64(19 * 1024 * 256 * 4); have.Drawn != drawn {
		t.Errorf("%d bytes are drawn, want %d", have.Drawn, drawn)
	}
	// Batch norms of DAFormer's head, pointwise, separable at three rates, and after all: means and
	// variances in two runs, on translated images and on the mix.
	if want := int64((256 + 3*(1024+256) + 256) * 2 * 4 * 2); have.Statistics != want {
		t.Errorf("%d bytes of statistics, want %d", have.Statistics, want)
	}
	if mib := have.Gradients >> 20; mib < 310 || mib > 350 { // MiT-B5 has 82 million parameters
		t.Errorf("%d MiB of gradients", mib)
	}
	const device = "runtime.state=device runtime.device="
	for settings, values := range map[string]int64{
		"seed=1": ranks.MostAdded, device + "cuda": mostSwapped, device + "cuda runtime.exchange=mpi": ranks.MostAdded, device + "cpu": ranks.MostAdded,
	} {
		cfg, err := configs.Load("gta5-cityscapes", append(roots[:3:3], strings.Fields(settings)...))
		if err != nil {
			t.Fatal(err)
		}
		if have, err := TrafficOf(cfg, 19); err != nil || have.Block != 4*values {
			t.Errorf("%s: %d bytes at a time, %v", settings, have.Block, err)
		}
	}
	if cfg, err = configs.Load("gta5-cityscapes", append(roots, "method=self-training")); err != nil {
		t.Fatal(err)
	}
	if have, err := TrafficOf(cfg, 19); err != nil || have.Told != 0 || have.Drawn != 0 || have.Gradients == 0 {
		t.Errorf("%+v, %v without the pull", have, err)
	}
}
