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
		err := streets.Write(ctx, d.root, streets.WriteOptions{
			Seed: s.Seed, Domain: d.domain, Train: s.Train, Val: s.Val, W: s.Size.Width, H: s.Size.Height, Workers: cfg.Data.Workers,
			Progress: logged(o.Log, "rendering the street world"),
		})
		if err != nil {
			return fmt.Errorf("%s: %w", d.field, err)
		}
	}
	return nil
}

// streetRoot is where a domain of the embedded world goes.
type streetRoot struct {
	field, root string
	domain      streets.Domain
}

// streetRoots lists the roots that are rendered for cfg's run.
func streetRoots(cfg configs.Config) []streetRoot {
	if !cfg.Data.Streets.Enabled {
		return nil
	}
	return slices.DeleteFunc([]streetRoot{
		{"data.source.root", cfg.Data.Source.Root, streets.Game},
		{"data.target.root", cfg.Data.Target.Root, streets.Camera},
	}, func(r streetRoot) bool {
		return !slices.Contains(cfg.Data.Streets.Domains, string(r.domain)) || !readsRoot(cfg, r.root)
	})
}

// readsRoot reports whether the run reads images below root.
func readsRoot(cfg configs.Config, root string) bool {
	return root == cfg.Data.Eval.Root ||
		root == cfg.Data.Source.Root && !cfg.LabelsTarget() ||
		root == cfg.Data.Target.Root && (cfg.UsesTarget() || cfg.LabelsTarget())
}
