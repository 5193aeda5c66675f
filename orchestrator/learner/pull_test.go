package learner

import (
	"testing"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/raster"
)

// TestDirections: the images of the paper's Table 7.
func TestDirections(t *testing.T) {
	b := &datasets.Batch{
		Source: []*raster.Image{raster.NewImage(1, 1)}, Pseudo: []*raster.Image{raster.NewImage(1, 1)}, Target: []*raster.Image{raster.NewImage(1, 1)},
	}
	for _, c := range []struct {
		query, key             string
		queryImages, keyImages []*raster.Image
	}{
		{configs.DomainPseudo, configs.DomainSource, b.Pseudo, b.Source},
		{configs.DomainSource, configs.DomainSource, b.Source, b.Source},
		{configs.DomainSource, configs.DomainTarget, b.Source, b.Source}, // positives are the target's, source negatives the source's
		{configs.DomainSource, configs.DomainPseudo, b.Source, b.Pseudo},
		{configs.DomainTarget, configs.DomainSource, b.Target, b.Source},
	} {
		p := &pullTerm{}
		p.cfg.Pull.QueryDomain, p.cfg.Pull.KeyDomain = c.query, c.key
		if p.queryImages(b)[0] != c.queryImages[0] || p.labelledImages(b)[0] != c.keyImages[0] {
			t.Errorf("%s → %s takes other images", c.query, c.key)
		}
	}
}
