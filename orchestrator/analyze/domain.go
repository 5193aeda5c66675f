package analyze

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"t2sda/configs"
	"t2sda/orchestrator"
	"t2sda/orchestrator/features"
)

// domain is the labelled images of one side.
type domain struct {
	*features.Images
	place string // where they lie, for people
}

// openDomains opens the images that the networks are held against: the source's
// own, and the target's of data.eval, since the target needs no labels.
func openDomains(ctx context.Context, n *orchestrator.Network, o Options) (source, target *domain, err error) {
	c, err := n.Source()
	if err != nil {
		return nil, nil, err
	}
	if o.SourceSplit != "" {
		c.Split = o.SourceSplit
	}
	if source, err = openDomain(ctx, n, sourceName, "data.source", c, o); err != nil {
		return nil, nil, err
	}
	target, err = openDomain(ctx, n, targetName, "data.eval", n.Config.Data.Eval, o)
	return source, target, err
}

// openDomain finds labelled images and draws those to look at.
func openDomain(ctx context.Context, n *orchestrator.Network, name, field string, c configs.Dataset, o Options) (*domain, error) {
	d := &domain{place: c.Layout + " " + c.Root}
	if c.Split != "" {
		d.place += ", split " + c.Split
	}
	data, err := n.OpenDataset(ctx, field, c)
	if err != nil {
		return nil, explain(name, c, err)
	}
	if d.Images, err = features.Choose(ctx, name, data, o.Images, o.Seed, n.Config.SkipsBadFiles()); err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	d.Truth = true
	return d, nil
}

// explain adds to an error of opening what the reader may not think of.
func explain(name string, c configs.Dataset, err error) error {
	hints := []error{fmt.Errorf("%s domain: %w", name, err)}
	if name == targetName {
		hints = append(hints, errors.New("the target's measures need labels: they are taken on the images of data.eval, data.target's are never asked for any"))
	}
	if !filepath.IsAbs(c.Root) && !strings.Contains(c.Root, "://") {
		hints = append(hints, fmt.Errorf("%s is a relative folder: start this where the run was started", c.Root))
	}
	return errors.Join(hints...)
}
