package configs

// Regions is the term regions, L_reg: the student's features of each region of a mixed target
// image are told from those of other regions, by the teacher's of the same place of the image as it
// is (RCCR: Zhou et al., ICME 2022).
type Regions struct {
	Weight float64 `mapstructure:"weight" yaml:"weight"` // of L_reg
	Size   int     `mapstructure:"size" yaml:"size"`     // side of a region, px
	Tau    float64 `mapstructure:"tau" yaml:"tau"`
	Share  float64 `mapstructure:"share" yaml:"share"` // least of a mixed region's pixels that are the target's own
	// Negatives are the teacher's other regions of the same image (within), those of the batch's
	// other images and remembered ones (across), or all of them (both).
	Negatives string `mapstructure:"negatives" yaml:"negatives"`
	Memory    int    `mapstructure:"memory" yaml:"memory"` // regions of earlier images; within: not read
}

// The strategies by which negatives are taken.
const (
	NegativesWithin = "within"
	NegativesAcross = "across"
	NegativesBoth   = "both"
)

// defaultRegions has numbers of ours, since neither code nor numbers of RCCR are public: the
// weight and τ of the pull, which is a contrast of such features, regions of whole cells at strides
// up to 32, and the regions of 256 crops of 128×128 remembered, or of 16 of 512×512.
func defaultRegions() Regions {
	return Regions{Weight: 0.1, Size: 32, Tau: 0.2, Share: 0.75, Negatives: NegativesBoth, Memory: 4096}
}

// UsesRegions reports whether features of regions are contrasted.
func (c *Config) UsesRegions() bool { return c.Trains(TermRegions) }

// ContrastsRegions returns the settings of the term regions; what the negatives do not read is 0.
func (c *Config) ContrastsRegions() Regions {
	r := c.Loss.Regions
	if r.Negatives == NegativesWithin {
		r.Memory = 0
	}
	return r
}

func (c *Config) validateRegions(v *validator) {
	r := c.ContrastsRegions()
	v.check("loss.regions.weight", r.Weight > 0, "want > 0, have %g: without the term take method=self-training", r.Weight)
	v.check("loss.regions.tau", r.Tau >= 0.001, "want 0.001 or more, have %g: similarities are divided by it", r.Tau)
	v.between("loss.regions.share", r.Share, 0, 1)
	v.oneOf("loss.regions.negatives", r.Negatives, NegativesWithin, NegativesAcross, NegativesBoth)
	v.check("loss.regions.memory", r.Memory >= 0 && r.Memory <= 1<<20, "want 0 to %d, have %d", 1<<20, r.Memory)
	v.atLeast("loss.regions.size", r.Size, 1)
	if !c.UsesRegions() || r.Size < 1 {
		return
	}
	v.validateRegionSize(r.Size, c.Data.Crop)
	images := c.Train.Batch * c.Train.MicroBatches()
	v.check("loss.regions.memory", r.Negatives != NegativesAcross || r.Memory > 0 || images > 1,
		"is 0 and the batch has one image, so that there are no negatives across images: want some memory, or negatives within")
}

// validateRegionSize wants regions that divide the crop, and two of them or more.
func (v *validator) validateRegionSize(size int, crop Size) {
	const field = "loss.regions.size"
	switch {
	case size > min(crop.Width, crop.Height) || size == crop.Width && size == crop.Height:
		v.check(field, false, "a region of %d×%[1]d px is all of the crop of %d×%d, or larger: want a fraction of its side", size, crop.Width, crop.Height)
	case crop.Width%size != 0 || crop.Height%size != 0:
		v.check(field, false, "regions of %d×%[1]d px do not divide the crop of %d×%d: want a divisor of both sides", size, crop.Width, crop.Height)
	}
}
