package orchestrator

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
)

// TestSwitches trains an iteration or two under settings that differ from the
// method's own in every switch, each with the terms that it should have.
func TestSwitches(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	first := map[string]float64{} // L_S of the first iteration
	for _, s := range []struct {
		name string
		set  func(c *configs.Config)
	}{
		{"source → target, MSE, DRW on L_T", func(c *configs.Config) {
			p := &c.Loss.Pull
			p.QueryDomain, p.KeyDomain, p.Kind = configs.DomainSource, configs.DomainTarget, "mse"
			c.Loss.DRW, c.Loss.Quality, c.Loss.CEDenominator = "lt", "batch", "valid"
		}},
		{"target → source, CEQS, no DENPS, no DRW", func(c *configs.Config) {
			p := &c.Loss.Pull
			p.QueryDomain, p.Balanced, p.Equalised = configs.DomainTarget, false, false
			c.Loss.DRW, c.Data.RCS.Enabled, c.Model.ProjectorInput = "none", false, "last"
		}},
		{"source → pseudo-target, CE on pseudo-target", func(c *configs.Config) {
			c.Loss.Pull.QueryDomain, c.Loss.Pull.KeyDomain, c.Loss.CEDomain = configs.DomainSource, configs.DomainPseudo, configs.DomainPseudo
			c.Translate.Engine, c.Loss.Pull.GridLabels = configs.Engines{"jitter": 1}, "majority"
		}},
		{"a mix of engines", func(c *configs.Config) {
			c.Translate.Engine = configs.Engines{"fda": 1, "folder": 1, "none": 0.5}
			c.Translate.Folder = filepath.Join(c.Data.Source.Root, "images")
		}},
		{"a network, and FDA", func(c *configs.Config) {
			c.Translate.Engine = configs.Engines{"onnx": 2, "fda": 1}
			c.Translate.Model = writeModel(t, means())
		}},
		{"plain", func(*configs.Config) {}},
		{"no pull", func(c *configs.Config) { c.Loss.Pull.Weight = 0 }},
		{"pseudo", func(c *configs.Config) {
			c.Loss.CEDomain, c.Loss.MixDomain = configs.DomainPseudo, configs.DomainPseudo
		}},
		{"pseudo weighted 0.3", func(c *configs.Config) {
			c.Loss.CEDomain, c.Loss.MixDomain, c.Loss.MixWeight = configs.DomainPseudo, configs.DomainPseudo, 0.3
		}},
		{"both", func(c *configs.Config) { c.Loss.CEDomain, c.Loss.MixDomain = configs.DomainBoth, configs.DomainPseudo }},
		{"pair", func(c *configs.Config) {
			c.Loss.CEDomain, c.Loss.MixDomain, c.Loss.Pull.Mean = configs.DomainPseudo, configs.DomainPseudo, "pair"
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			c := shapesConfig(root, t.TempDir())
			c.Train.Iterations, c.Train.EvalEvery, c.Train.CheckpointEvery = 1, 0, 0
			s.set(&c)
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			dir, _ := train(t, c)
			events, err := ReadEvents(filepath.Join(dir, eventsFile))
			if err != nil {
				t.Fatal(err)
			}
			e := events[0]
			want := []string{"mix", c.Loss.CEDomain}
			if c.Loss.CEDomain == configs.DomainBoth {
				want = []string{"mix", configs.DomainPseudo, configs.DomainSource}
			}
			if c.Loss.Pull.Weight > 0 {
				want = append(want, "pull")
			}
			slices.Sort(want)
			if have := slices.Sorted(maps.Keys(e.Losses)); !slices.Equal(have, want) {
				t.Errorf("losses %v, want %v", have, want)
			}
			for k, v := range e.Losses {
				if v <= 0 {
					t.Errorf("loss %s is %g", k, v)
				}
				first[s.name+k] = v
			}
			if c.Loss.Quality == "batch" && e.Quality[0] != e.Quality[1] {
				t.Errorf("q of one batch: %v", e.Quality)
			}
		})
	}
	// The values reported are those of the plain terms, whatever they weigh.
	for k, other := range map[string]string{
		"plainsource": "bothsource", "plainmix": "no pullmix", "pseudo weighted 0.3mix": "pseudomix", "pseudopseudo": "bothpseudo",
	} {
		if a, b := first[k], first[other]; math.Abs(a-b) > 1e-5*a {
			t.Errorf("%s is %g, %s %g", k, a, other, b)
		}
	}
	for k, other := range map[string]string{"plainsource": "pseudopseudo", "plainmix": "pseudomix", "pseudopull": "pairpull"} {
		if first[k] == first[other] {
			t.Errorf("%s and %s are both %g", k, other, first[k])
		}
	}
}
