package configs

// Settings of the terms that choose among the teacher's labels.

// Select is the term select, L_st: self-training on target images by those of the teacher's
// labels that pass a threshold of their class.
type Select struct {
	// Rule is how labels are selected, and which regularisers there are: cbst (Zou et al., ECCV
	// 2018), crst (the same with smooth; Zou et al., ICCV 2019), iast (with smooth and certain;
	// Mei et al., ECCV 2020). Methods whose name says it do not read it.
	Rule     string  `mapstructure:"rule" yaml:"rule"`
	Weight   float64 `mapstructure:"weight" yaml:"weight"`     // of L_st
	Momentum float64 `mapstructure:"momentum" yaml:"momentum"` // of the thresholds, image by image
	// cbst, crst: the share of the pixels of each class that is labelled, at first and in the
	// end, linear between.
	Portion    float64 `mapstructure:"portion" yaml:"portion"`
	PortionEnd float64 `mapstructure:"portion_end" yaml:"portion_end"`
	// iast: the share is α·θ^γ, of a class of threshold θ.
	Alpha   float64 `mapstructure:"alpha" yaml:"alpha"`
	Gamma   float64 `mapstructure:"gamma" yaml:"gamma"`
	Smooth  float64 `mapstructure:"smooth" yaml:"smooth"`   // crst, iast: weight of the uniform distribution at labelled pixels
	Certain float64 `mapstructure:"certain" yaml:"certain"` // iast: weight of the entropy at the others
}

// The rules of selection.
const (
	RuleCBST = "cbst"
	RuleCRST = "crst"
	RuleIAST = "iast"
)

// defaultSelect has the numbers of the public codes: portions of CBST, smooth of both
// others, all else of IAST.
func defaultSelect() Select {
	return Select{Rule: RuleCBST, Weight: 1, Momentum: 0.9, Portion: 0.2, PortionEnd: 0.5, Alpha: 0.2, Gamma: 8, Smooth: 0.1, Certain: 3}
}

// UsesSelect reports whether labels selected by class are learned from.
func (c *Config) UsesSelect() bool { return c.Trains(TermSelect) }

// Selects returns the settings of the term select with the rule that the method settles; what
// the rule does not read is 0.
func (c *Config) Selects() Select {
	s := c.Loss.Select
	s.Rule = settled(c.method().rule, s.Rule)
	switch s.Rule {
	case RuleCBST:
		s.Alpha, s.Gamma, s.Smooth, s.Certain = 0, 0, 0, 0
	case RuleCRST:
		s.Alpha, s.Gamma, s.Certain = 0, 0, 0
	case RuleIAST:
		s.Portion, s.PortionEnd = 0, 0
	}
	return s
}

// Views is the term views, L_views: self-training on target images with labels of the mean of
// what the teacher says of several views of each, the image and windows of it, mirrored or not
// (SAC: Araslanov and Roth, CVPR 2021).
type Views struct {
	Weight   float64 `mapstructure:"weight" yaml:"weight"`     // of L_views
	Views    int     `mapstructure:"views" yaml:"views"`       // of an image, itself included
	Zoom     float64 `mapstructure:"zoom" yaml:"zoom"`         // least side of a window, as a share of the image's
	Momentum float64 `mapstructure:"momentum" yaml:"momentum"` // of χ, the mean probability of each class
	// A pixel has a label if its confidence is more than Upper·(1 − e^(−χ/Beta)) times the
	// largest of its class in the image, and more than Lower. It counts by its confidence,
	// times (1 − χ)^Focal.
	Beta  float64 `mapstructure:"beta" yaml:"beta"`
	Upper float64 `mapstructure:"upper" yaml:"upper"`
	Lower float64 `mapstructure:"lower" yaml:"lower"`
	Focal float64 `mapstructure:"focal" yaml:"focal"`
}

// defaultViews has the numbers of the public code for ResNet-101.
func defaultViews() Views {
	return Views{Weight: 5, Views: 4, Zoom: 0.5, Momentum: 0.99, Beta: 1e-3, Upper: 0.75, Lower: 0.2, Focal: 3}
}

// UsesViews reports whether labels of several views are learned from.
func (c *Config) UsesViews() bool { return c.Trains(TermViews) }

func (v *validator) validateViews(w *Views) {
	v.check("loss.views.weight", w.Weight > 0, "want > 0, have %g: without the term take method=source-only", w.Weight)
	v.check("loss.views.views", w.Views >= 1 && w.Views <= 64, "want 1 to 64, have %d", w.Views)
	v.check("loss.views.zoom", w.Zoom > 0 && w.Zoom <= 1, "want more than 0, at most 1, have %g", w.Zoom)
	v.between("loss.views.momentum", w.Momentum, 0, 1)
	v.check("loss.views.beta", w.Beta > 0, "want > 0, have %g", w.Beta)
	v.between("loss.views.upper", w.Upper, 0, 1)
	v.between("loss.views.lower", w.Lower, 0, 1)
	v.finite("loss.views.focal", w.Focal)
}

func (v *validator) validateSelect(s *Select) {
	v.oneOf("loss.select.rule", s.Rule, RuleCBST, RuleCRST, RuleIAST)
	v.check("loss.select.weight", s.Weight > 0, "want > 0, have %g: without the term take method=source-only", s.Weight)
	v.between("loss.select.momentum", s.Momentum, 0, 1)
	v.between("loss.select.portion", s.Portion, 0, 1)
	v.between("loss.select.portion_end", s.PortionEnd, 0, 1)
	v.between("loss.select.alpha", s.Alpha, 0, 1)
	v.finite("loss.select.gamma", s.Gamma)
	v.finite("loss.select.smooth", s.Smooth)
	v.finite("loss.select.certain", s.Certain)
}
