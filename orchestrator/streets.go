package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets/streets"
)

// renderStreets writes the embedded world to the roots that cfg's run reads,
// unless it is there already.
func renderStreets(ctx context.Context, cfg configs.Config, o Options) error {
	s := cfg.Data.Streets
	for _, d := range streetRoots(cfg) {
		if _, err := os.Stat(d.root); errors.Is(err, fs.ErrNotExist) {
			o.Log.Info("rendering the street world", zap.String("domain", string(d.domain)), zap.Int("images", s.Train+s.Val), zap.String("folder", d.root))
		}
		w := streetOptions(cfg, d.domain)
		w.Workers, w.Progress = cfg.Data.Workers, logged(o.Log, "rendering the street world")
		if err := streets.Write(ctx, d.root, w); err != nil {
			return fmt.Errorf("%s: %w", d.field, err)
		}
	}
	return nil
}

func streetOptions(cfg configs.Config, domain streets.Domain) streets.WriteOptions {
	s := cfg.Data.Streets
	return streets.WriteOptions{Seed: s.Seed, Domain: domain, Train: s.Train, Val: s.Val, W: s.Size.Width, H: s.Size.Height}
}

// checkStreets is an error where another run has rendered another world into a folder of cfg's since. A
// folder may be that of both domains: the later one is there.
func checkStreets(cfg configs.Config, root string) (err error) {
	for _, d := range streetRoots(cfg) {
		if d.root == configs.Expanded(root) {
			err = streets.Check(d.root, streetOptions(cfg, d.domain))
		}
	}
	return err
}

// checkWorlds refuses runs of which one would render another world into the folder of another one's:
// side by side they would learn from images that are neither's.
func checkWorlds(jobs []Job) error {
	first := map[string]Job{}
	for _, j := range jobs {
		for _, r := range streetRoots(j.Config) {
			other, there := first[r.root]
			if !there {
				first[r.root] = j
				continue
			}
			if a, b := world(other.Config), world(j.Config); a != b {
				return fmt.Errorf("nothing is trained: %s and %s would render different worlds (%s; %s) into %s: give each row a folder of its own (%s=DIR)", other, j, a, b, r.root, r.field)
			}
		}
	}
	return nil
}

// world says what of the configuration a rendered world depends on.
func world(cfg configs.Config) string {
	s := cfg.Data.Streets
	return fmt.Sprintf("data.streets.seed %d, train %d, val %d, size %d×%d", s.Seed, s.Train, s.Val, s.Size.Width, s.Size.Height)
}

// streetRoot is where a domain of the embedded world goes.
type streetRoot struct {
	field, root string
	domain      streets.Domain
}

// streetRoots lists the roots that are rendered for cfg's run, its baseline included.
func streetRoots(cfg configs.Config) []streetRoot {
	if !cfg.Data.Streets.Enabled {
		return nil
	}
	base := cfg
	if cfg.Baseline {
		base.Method = configs.SourceOnly
	}
	return slices.DeleteFunc([]streetRoot{
		{"data.source.root", configs.Expanded(cfg.Data.Source.Root), streets.Game},
		{"data.target.root", configs.Expanded(cfg.Data.Target.Root), streets.Camera},
	}, func(r streetRoot) bool {
		return !slices.Contains(cfg.Data.Streets.Domains, string(r.domain)) || !readsRoot(cfg, r.root) && !readsRoot(base, r.root)
	})
}

// readsRoot reports whether the run reads images below root. What the method does not read, the
// configuration has as it was written.
func readsRoot(cfg configs.Config, root string) bool {
	d := &cfg.Data
	return root == configs.Expanded(d.Eval.Root) ||
		root == configs.Expanded(d.Source.Root) && !cfg.LabelsTarget() ||
		root == configs.Expanded(d.Target.Root) && (cfg.UsesTarget() || cfg.LabelsTarget())
}
