package configs

import (
	"slices"
)

// Settings of the terms of other families of methods. Methods without a term have hashes
// without its settings, and files unless they were changed.

// Entropy is the term entropy, L_ent: target images shall be predicted with certainty
// (MinEnt: Vu et al., "ADVENT", CVPR 2019, section 3.1).
type Entropy struct {
	Weight float64 `mapstructure:"weight" yaml:"weight"` // λ_ent
}

// defaultEntropy has the paper's number (section 4.2).
func defaultEntropy() Entropy { return Entropy{Weight: 0.001} }

// Adversarial is the term adversarial, L_adv: a discriminator learns to tell predictions of
// source and target images apart, and the network to hide it (AdaptSegNet: Tsai et al., CVPR
// 2018; AdvEnt: Vu et al., CVPR 2019).
type Adversarial struct {
	Weight float64 `mapstructure:"weight" yaml:"weight"` // λ_adv
	LR     float64 `mapstructure:"lr" yaml:"lr"`         // of the discriminator, less by (1 − t/T)^0.9
	Width  int     `mapstructure:"width" yaml:"width"`   // channels of the discriminator's first layer
	// Input is what the discriminator sees of predictions: softmax (AdaptSegNet), or entropy,
	// −p·log p of each class (AdvEnt). Methods whose name says it do not read it.
	Input string `mapstructure:"input" yaml:"input"`
}

// What a discriminator sees.
const (
	SeesSoftmax = "softmax"
	SeesEntropy = "entropy"
)

// defaultAdversarial has the numbers of both public codes for their last level.
func defaultAdversarial() Adversarial {
	return Adversarial{Weight: 0.001, LR: 1e-4, Width: 64, Input: SeesSoftmax}
}

// UsesAdversarial reports whether there is a discriminator of predictions.
func (c *Config) UsesAdversarial() bool { return c.Trains(TermAdversarial) }

// AdversarialInput returns what the discriminator sees. Where the method settles it,
// loss.adversarial.input is not read.
func (c *Config) AdversarialInput() string { return settled(c.method().sees, c.Loss.Adversarial.Input) }

// ClassAdversarial is the term class-adversarial, L_cadv: a discriminator with an output for
// each class in each domain learns to tell features of source and target images apart, and the
// network to hide it without changing the class (FADA: Wang et al., ECCV 2020).
type ClassAdversarial struct {
	Weight float64 `mapstructure:"weight" yaml:"weight"` // λ_adv
	LR     float64 `mapstructure:"lr" yaml:"lr"`         // of the discriminator, less by (1 − t/T)^0.9
	Width  int     `mapstructure:"width" yaml:"width"`   // channels of the discriminator's first layer; the second has half as many
	// Soft labels are the network's softmax of temperature Temperature, no more than Ceiling.
	Temperature float64 `mapstructure:"temperature" yaml:"temperature"`
	Ceiling     float64 `mapstructure:"ceiling" yaml:"ceiling"`
}

// defaultClassAdversarial has the numbers of the public code for ResNet-101.
func defaultClassAdversarial() ClassAdversarial {
	return ClassAdversarial{Weight: 0.001, LR: 1e-4, Width: 256, Temperature: 1.8, Ceiling: 0.9}
}

// UsesClassAdversarial reports whether there is a discriminator of features.
func (c *Config) UsesClassAdversarial() bool { return c.Trains(TermClassAdversarial) }

// UsesEntropy reports whether the entropy of predictions is trained.
func (c *Config) UsesEntropy() bool { return c.Trains(TermEntropy) }

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

// Denoise is the term denoise, L_dn: self-training on target images by soft labels of a round of
// labelling, weighed by the distance of the teacher's features to each class's prototype, with a
// symmetric cross-entropy (ProDA: Zhang et al., CVPR 2021, first stage).
type Denoise struct {
	Weight      float64 `mapstructure:"weight" yaml:"weight"`           // of L_dn
	Temperature float64 `mapstructure:"temperature" yaml:"temperature"` // of assignments to prototypes
	Momentum    float64 `mapstructure:"momentum" yaml:"momentum"`       // of the prototypes
	Cross       float64 `mapstructure:"cross" yaml:"cross"`             // α, of the cross-entropy
	Reverse     float64 `mapstructure:"reverse" yaml:"reverse"`         // β, of the reverse cross-entropy
	Consistency float64 `mapstructure:"consistency" yaml:"consistency"` // γ₁, of assignments of augmented images
	Smooth      float64 `mapstructure:"smooth" yaml:"smooth"`           // γ₂, of the uniform distribution
}

// defaultDenoise has the numbers of the public code.
func defaultDenoise() Denoise {
	return Denoise{Weight: 1, Temperature: 1, Momentum: 0.9999, Cross: 0.1, Reverse: 1, Consistency: 10, Smooth: 0.1}
}

// UsesDenoise reports whether denoised labels are learned from.
func (c *Config) UsesDenoise() bool { return c.Trains(TermDenoise) }

// Cluster is the term cluster, L_cl: L_dn by angles to prototypes, and the student's features learn
// assignments of positions to the prototypes that are balanced by the classes' shares in the
// labels of the round (CPSL: Li et al., CVPR 2022, first stage).
type Cluster struct {
	Weight      float64 `mapstructure:"weight" yaml:"weight"`           // of L_cl
	Temperature float64 `mapstructure:"temperature" yaml:"temperature"` // of assignments by cosines
	Momentum    float64 `mapstructure:"momentum" yaml:"momentum"`       // of the prototypes
	Cross       float64 `mapstructure:"cross" yaml:"cross"`             // α, of the cross-entropy
	Reverse     float64 `mapstructure:"reverse" yaml:"reverse"`         // β, of the reverse cross-entropy
	Consistency float64 `mapstructure:"consistency" yaml:"consistency"` // of assignments of augmented images
	Clusters    float64 `mapstructure:"clusters" yaml:"clusters"`       // λ, of balanced assignments
	Epsilon     float64 `mapstructure:"epsilon" yaml:"epsilon"`         // of these: cosines are divided by it
	Balance     int     `mapstructure:"balance" yaml:"balance"`         // steps in which these are balanced
	Samples     int     `mapstructure:"samples" yaml:"samples"`         // positions of an image
	Memory      int     `mapstructure:"memory" yaml:"memory"`           // earlier positions that are balanced with them
}

// defaultCluster has the numbers of the public code.
func defaultCluster() Cluster {
	return Cluster{
		Weight: 1, Temperature: 0.08, Momentum: 0.999, Cross: 0.1, Reverse: 1, Consistency: 5,
		Clusters: 0.1, Epsilon: 0.05, Balance: 3, Samples: 256, Memory: 65536,
	}
}

// UsesCluster reports whether balanced assignments are learned from.
func (c *Config) UsesCluster() bool { return c.Trains(TermCluster) }

// denoises reports whether labels of rounds are denoised.
func (c *Config) denoises() bool { return c.UsesDenoise() || c.UsesCluster() }

// RoundStarts lists the iterations, counted from 0, before which the teacher labels the whole
// target set, ascending: train.rounds of them evenly between the first that adapts and the end
// that the run had first. The terms denoise and cluster have at least one, the term select as
// many as are said, no other has any. An extension goes on with the last labels.
func (c *Config) RoundStarts() []int {
	n, first, end := c.Train.Rounds, c.Train.FirstAdapting(), c.Train.Phase(0)
	switch {
	case c.denoises():
		n = max(n, 1)
	case !c.UsesSelect():
		n = 0
	}
	if n == 0 {
		return nil
	}
	starts := make([]int, n)
	for k := range starts {
		starts[k] = first + k*(end-first)/n
	}
	return starts
}

// Associate is the term associate, L_asso: positions of source and target images that are most
// alike, in cycles that end in the class that they began in, become more alike (PLCA: Kang et
// al., NeurIPS 2020).
type Associate struct {
	Weight    float64 `mapstructure:"weight" yaml:"weight"`       // of the cycles, by features and by predictions
	Stride    int     `mapstructure:"stride" yaml:"stride"`       // of the positions, px; no finer than the network's
	Aggregate float64 `mapstructure:"aggregate" yaml:"aggregate"` // α, what target positions take over from those that are like them
	Smooth    float64 `mapstructure:"smooth" yaml:"smooth"`       // of −log p over all classes, towards Threshold
	Threshold float64 `mapstructure:"threshold" yaml:"threshold"`
}

// defaultAssociate has the numbers of the public code; its network has a stride of 8.
func defaultAssociate() Associate {
	return Associate{Weight: 0.1, Stride: 8, Aggregate: 0.5, Smooth: 0.01, Threshold: 10}
}

// UsesAssociate reports whether cycles of positions are learned from.
func (c *Config) UsesAssociate() bool { return c.Trains(TermAssociate) }

// Contrast is the term contrast, L_con: features go to anchors of their class, moving means
// of source features, on both domains. Targets have the teacher's labels.
type Contrast struct {
	// Kind is infonce, against the anchors of all classes (SePiCo's ProtoCL: Xie et al., TPAMI
	// 2023), or mse, the squared distance (CAG: Zhang et al., NeurIPS 2019). Methods whose name
	// says it do not read it.
	Kind       string  `mapstructure:"kind" yaml:"kind"`
	Weight     float64 `mapstructure:"weight" yaml:"weight"`         // of L_con
	Momentum   float64 `mapstructure:"momentum" yaml:"momentum"`     // of the anchors
	Tau        float64 `mapstructure:"tau" yaml:"tau"`               // infonce
	Confidence float64 `mapstructure:"confidence" yaml:"confidence"` // mse: least of the teacher's, of target pixels that count
}

// The kinds of contrast.
const (
	ContrastInfoNCE = "infonce"
	ContrastMSE     = "mse"
)

// defaultContrast has the numbers of the public codes, τ and weight of SePiCo, confidence of
// CAG. The momentum is ours: SePiCo's means are over all iterations so far, CAG's are fixed
// for a stage.
func defaultContrast() Contrast {
	return Contrast{Kind: ContrastInfoNCE, Weight: 1, Momentum: 0.999, Tau: 100, Confidence: 0.95}
}

// UsesContrast reports whether features go to anchors.
func (c *Config) UsesContrast() bool { return c.Trains(TermContrast) }

// UsesProjector reports whether a term looks at projected features.
func (c *Config) UsesProjector() bool { return c.UsesPull() || c.UsesContrast() }

// Contrasts returns the settings of the term contrast with the kind that the method settles;
// what the kind does not read is 0.
func (c *Config) Contrasts() Contrast {
	k := c.Loss.Contrast
	k.Kind = settled(c.method().anchors, k.Kind)
	if k.Kind == ContrastMSE {
		k.Tau = 0
	} else {
		k.Confidence = 0
	}
	return k
}

// Adapts reports whether the run has a term that sets in with train.adapt_after.
func (c *Config) Adapts() bool {
	return slices.ContainsFunc(Terms(), func(term string) bool { return term != TermSource && c.Trains(term) })
}

// leaveOutFamilies empties the sections that the method has no term for and that are as
// they were before anybody changed them, so that they are not written.
func (c *Config) leaveOutFamilies() {
	if !c.UsesEntropy() && c.Loss.Entropy == defaultEntropy() {
		c.Loss.Entropy = Entropy{}
	}
	if !c.UsesAdversarial() && c.Loss.Adversarial == defaultAdversarial() {
		c.Loss.Adversarial = Adversarial{}
	}
	if !c.UsesClassAdversarial() && c.Loss.ClassAdversarial == defaultClassAdversarial() {
		c.Loss.ClassAdversarial = ClassAdversarial{}
	}
	if !c.UsesSelect() && c.Loss.Select == defaultSelect() {
		c.Loss.Select = Select{}
	}
	if !c.UsesViews() && c.Loss.Views == defaultViews() {
		c.Loss.Views = Views{}
	}
	if !c.UsesDenoise() && c.Loss.Denoise == defaultDenoise() {
		c.Loss.Denoise = Denoise{}
	}
	if !c.UsesCluster() && c.Loss.Cluster == defaultCluster() {
		c.Loss.Cluster = Cluster{}
	}
	if !c.UsesAssociate() && c.Loss.Associate == defaultAssociate() {
		c.Loss.Associate = Associate{}
	}
	if !c.UsesContrast() && c.Loss.Contrast == defaultContrast() {
		c.Loss.Contrast = Contrast{}
	}
}

// clearUnreadFamilies empties settings of terms that are not trained.
func (c *Config) clearUnreadFamilies() {
	if !c.UsesEntropy() {
		c.Loss.Entropy = Entropy{}
	}
	if c.UsesAdversarial() {
		c.Loss.Adversarial.Input = c.AdversarialInput()
	} else {
		c.Loss.Adversarial = Adversarial{}
	}
	if !c.UsesClassAdversarial() {
		c.Loss.ClassAdversarial = ClassAdversarial{}
	}
	if c.UsesSelect() {
		c.Loss.Select = c.Selects()
	} else {
		c.Loss.Select = Select{}
	}
	if !c.UsesViews() {
		c.Loss.Views = Views{}
	}
	if !c.UsesDenoise() {
		c.Loss.Denoise = Denoise{}
	}
	if c.denoises() && c.Train.Rounds == 1 || !c.denoises() && !c.UsesSelect() {
		c.Train.Rounds = 0
	}
	if !c.UsesCluster() {
		c.Loss.Cluster = Cluster{}
	}
	if !c.UsesAssociate() {
		c.Loss.Associate = Associate{}
	}
	if c.UsesContrast() {
		c.Loss.Contrast = c.Contrasts()
	} else {
		c.Loss.Contrast = Contrast{}
	}
}

// validateFamilies refuses values out of range, and terms of target images in methods that
// read none.
func (c *Config) validateFamilies(v *validator) {
	row := c.method()
	for _, term := range []string{TermMask, TermEntropy, TermAdversarial, TermClassAdversarial, TermSelect, TermViews, TermDenoise, TermCluster, TermContrast, TermAssociate} {
		v.check("method", row.target || !slices.Contains(row.terms, term),
			"%s reads no unlabelled target images, which term %s needs: take %s+%[2]s", c.Method, term, TermSource)
	}
	v.check("loss.entropy.weight", c.Loss.Entropy.Weight > 0, "want > 0, have %g: without the term take method=source-only", c.Loss.Entropy.Weight)
	a := &c.Loss.Adversarial
	v.check("loss.adversarial.weight", a.Weight > 0, "want > 0, have %g: without the term take method=source-only", a.Weight)
	v.check("loss.adversarial.lr", a.LR > 0, "want > 0, have %g", a.LR)
	v.check("loss.adversarial.width", a.Width >= 1 && a.Width <= 1024, "want 1 to 1024, have %d", a.Width)
	v.oneOf("loss.adversarial.input", a.Input, SeesSoftmax, SeesEntropy)
	v.validateClassAdversarial(&c.Loss.ClassAdversarial)
	v.validateSelect(&c.Loss.Select)
	v.validateViews(&c.Loss.Views)
	v.validateDenoise(&c.Loss.Denoise)
	v.validateCluster(&c.Loss.Cluster)
	adapting := c.Train.Phase(0) - c.Train.FirstAdapting()
	v.check("train.rounds", c.Train.Rounds >= 0 && c.Train.Rounds <= max(adapting, 1), "want 0 to the %d iterations that adapt, have %d", adapting, c.Train.Rounds)
	v.validateAssociate(&c.Loss.Associate, c.Data.Crop)
	k := &c.Loss.Contrast
	v.oneOf("loss.contrast.kind", k.Kind, ContrastInfoNCE, ContrastMSE)
	v.check("loss.contrast.weight", k.Weight > 0, "want > 0, have %g: without the term take method=self-training", k.Weight)
	v.between("loss.contrast.momentum", k.Momentum, 0, 1)
	v.check("loss.contrast.tau", k.Tau > 0, "want > 0, have %g", k.Tau)
	v.between("loss.contrast.confidence", k.Confidence, 0, 1)
}

func (v *validator) validateClassAdversarial(a *ClassAdversarial) {
	v.check("loss.class_adversarial.weight", a.Weight > 0, "want > 0, have %g: without the term take method=source-only", a.Weight)
	v.check("loss.class_adversarial.lr", a.LR > 0, "want > 0, have %g", a.LR)
	v.check("loss.class_adversarial.width", a.Width >= 2 && a.Width <= 1024, "want 2 to 1024, have %d", a.Width)
	v.check("loss.class_adversarial.temperature", a.Temperature > 0, "want > 0, have %g", a.Temperature)
	v.check("loss.class_adversarial.ceiling", a.Ceiling > 0 && a.Ceiling <= 1, "want more than 0, at most 1, have %g", a.Ceiling)
}

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

func (v *validator) validateDenoise(d *Denoise) {
	v.check("loss.denoise.weight", d.Weight > 0, "want > 0, have %g: without the term take method=source-only", d.Weight)
	v.check("loss.denoise.temperature", d.Temperature > 0, "want > 0, have %g", d.Temperature)
	v.between("loss.denoise.momentum", d.Momentum, 0, 1)
	v.finite("loss.denoise.cross", d.Cross)
	v.finite("loss.denoise.reverse", d.Reverse)
	v.finite("loss.denoise.consistency", d.Consistency)
	v.finite("loss.denoise.smooth", d.Smooth)
}

func (v *validator) validateAssociate(a *Associate, crop Size) {
	v.check("loss.associate.weight", a.Weight > 0, "want > 0, have %g: without the term take method=source-only", a.Weight)
	v.check("loss.associate.stride", a.Stride >= 1 && 2*a.Stride <= min(crop.Width, crop.Height), "want 1 to half of the crop's %d×%d px, have %d", crop.Width, crop.Height, a.Stride)
	v.check("loss.associate.aggregate", a.Aggregate >= 0 && a.Aggregate < 1, "want 0 to less than 1, have %g", a.Aggregate)
	v.finite("loss.associate.smooth", a.Smooth)
	v.check("loss.associate.threshold", a.Threshold > 0, "want > 0, have %g", a.Threshold)
}

func (v *validator) validateCluster(k *Cluster) {
	v.check("loss.cluster.weight", k.Weight > 0, "want > 0, have %g: without the term take method=source-only", k.Weight)
	v.check("loss.cluster.temperature", k.Temperature > 0, "want > 0, have %g", k.Temperature)
	v.between("loss.cluster.momentum", k.Momentum, 0, 1)
	v.finite("loss.cluster.cross", k.Cross)
	v.finite("loss.cluster.reverse", k.Reverse)
	v.finite("loss.cluster.consistency", k.Consistency)
	v.finite("loss.cluster.clusters", k.Clusters)
	v.check("loss.cluster.epsilon", k.Epsilon >= 0.002, "want 0.002 or more, have %g: e^(1/epsilon) must be finite", k.Epsilon)
	v.check("loss.cluster.balance", k.Balance >= 1 && k.Balance <= 1000, "want 1 to 1000, have %d", k.Balance)
	v.check("loss.cluster.samples", k.Samples >= 1 && k.Samples <= 1<<20, "want 1 to %d, have %d", 1<<20, k.Samples)
	v.check("loss.cluster.memory", k.Memory >= 1 && k.Memory <= 1<<20, "want 1 to %d, have %d", 1<<20, k.Memory)
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
