package configs

import "slices"

// Settings of the terms of other families of methods. Methods without a term have hashes
// without its settings, and files unless they were changed.

// Entropy is the term entropy, L_ent: target images shall be predicted with certainty
// (MinEnt: Vu et al., "ADVENT", CVPR 2019, section 3.1).
type Entropy struct {
	Weight float64 `mapstructure:"weight" yaml:"weight"` // λ_ent
}

// defaultEntropy has the paper's number (section 4.2).
func defaultEntropy() Entropy { return Entropy{Weight: 0.001} }

// UsesEntropy reports whether the entropy of predictions is trained.
func (c *Config) UsesEntropy() bool { return c.Trains(TermEntropy) }

// Adapts reports whether the run has a term that sets in with train.adapt_after.
func (c *Config) Adapts() bool {
	return slices.ContainsFunc(Terms(), func(term string) bool { return term != TermSource && c.Trains(term) })
}

// leaveOutFamilies empties the sections that the method has no term for, or, if those that
// somebody changed are to be kept, those of them that are as they were before.
func (c *Config) leaveOutFamilies(keepChanged bool) {
	l := &c.Loss
	leaveOut(&l.Entropy, c.UsesEntropy(), defaultEntropy(), keepChanged)
	leaveOut(&l.Adversarial, c.UsesAdversarial(), defaultAdversarial(), keepChanged)
	leaveOut(&l.ClassAdversarial, c.UsesClassAdversarial(), defaultClassAdversarial(), keepChanged)
	leaveOut(&l.Select, c.UsesSelect(), defaultSelect(), keepChanged)
	leaveOut(&l.Views, c.UsesViews(), defaultViews(), keepChanged)
	leaveOut(&l.Denoise, c.UsesDenoise(), defaultDenoise(), keepChanged)
	leaveOut(&l.Cluster, c.UsesCluster(), defaultCluster(), keepChanged)
	leaveOut(&l.Associate, c.UsesAssociate(), defaultAssociate(), keepChanged)
	leaveOut(&l.Contrast, c.UsesContrast(), defaultContrast(), keepChanged)
	leaveOut(&l.Regions, c.UsesRegions(), defaultRegions(), keepChanged)
}

func leaveOut[T comparable](section *T, used bool, initial T, keepChanged bool) {
	if !used && !(keepChanged && *section != initial) {
		*section = *new(T)
	}
}

// clearUnreadFamilies empties settings of terms that are not trained, and puts in what the
// method settles.
func (c *Config) clearUnreadFamilies() {
	sees, selects, contrasts, regions := c.AdversarialInput(), c.Selects(), c.Contrasts(), c.ContrastsRegions()
	l := &c.Loss
	if selects.Rule != RuleIAST && c.RoundStarts() != nil {
		selects.Momentum = 0 // thresholds are those of the whole set
	}
	l.Adversarial.Input, l.Select, l.Contrast, l.Regions = sees, selects, contrasts, regions
	c.leaveOutFamilies(false)
	if c.denoises() && c.Train.Rounds == 1 || !c.denoises() && !c.UsesSelect() {
		c.Train.Rounds = 0
	}
}

// validateFamilies refuses values out of range, and terms of target images in methods that
// read none.
func (c *Config) validateFamilies(v *validator) {
	row := c.method()
	for _, term := range []string{TermMix, TermMask, TermEntropy, TermAdversarial, TermClassAdversarial, TermSelect, TermViews, TermDenoise, TermCluster, TermContrast, TermAssociate, TermRegions} {
		v.check("method", row.target || !slices.Contains(row.terms, term),
			"%s reads no unlabelled target images, which term %s needs: take %s+%[2]s", c.Method, term, TermSource)
	}
	v.check("loss.entropy.weight", c.Loss.Entropy.Weight > 0, "want > 0, have %g: without the term take method=source-only", c.Loss.Entropy.Weight)
	v.validateAdversarial(&c.Loss.Adversarial)
	v.validateClassAdversarial(&c.Loss.ClassAdversarial)
	v.validateSelect(&c.Loss.Select)
	v.validateViews(&c.Loss.Views)
	v.validateDenoise(&c.Loss.Denoise)
	v.validateCluster(&c.Loss.Cluster)
	c.validateRounds(v)
	v.validateAssociate(&c.Loss.Associate)
	if most := min(c.Data.Crop.Width, c.Data.Crop.Height) / 2; c.UsesAssociate() {
		v.check("loss.associate.stride", c.Loss.Associate.Stride <= most, "want at most half of the crop's %d×%d px, %d, have %d", c.Data.Crop.Width, c.Data.Crop.Height, most, c.Loss.Associate.Stride)
	}
	v.validateContrast(&c.Loss.Contrast)
	c.validateRegions(v)
}

// validateRounds bounds rounds by the iterations that there are for them.
func (c *Config) validateRounds(v *validator) {
	const field = "train.rounds"
	v.check(field, c.Train.Rounds >= 0, "want 0 or more, have %d", c.Train.Rounds)
	adapting := c.Train.Phase(0) - c.Train.FirstAdapting()
	if c.Train.AdaptAfter >= 0 && c.Train.AdaptAfter < 1 && c.RoundStarts() != nil { // else that is the fault
		v.check(field, c.Train.Rounds <= max(adapting, 1), "want 0 to %d, because %d iterations adapt, have %d", max(adapting, 1), adapting, c.Train.Rounds)
	}
}
