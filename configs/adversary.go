package configs

// Settings of the terms with a discriminator.

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

func (v *validator) validateClassAdversarial(a *ClassAdversarial) {
	v.check("loss.class_adversarial.weight", a.Weight > 0, "want > 0, have %g: without the term take method=source-only", a.Weight)
	v.check("loss.class_adversarial.lr", a.LR > 0, "want > 0, have %g", a.LR)
	v.check("loss.class_adversarial.width", a.Width >= 2 && a.Width <= 1024, "want 2 to 1024, have %d", a.Width)
	v.check("loss.class_adversarial.temperature", a.Temperature > 0, "want > 0, have %g", a.Temperature)
	v.check("loss.class_adversarial.ceiling", a.Ceiling > 0 && a.Ceiling <= 1, "want more than 0, at most 1, have %g", a.Ceiling)
}

func (v *validator) validateAdversarial(a *Adversarial) {
	v.check("loss.adversarial.weight", a.Weight > 0, "want > 0, have %g: without the term take method=source-only", a.Weight)
	v.check("loss.adversarial.lr", a.LR > 0, "want > 0, have %g", a.LR)
	v.check("loss.adversarial.width", a.Width >= 1 && a.Width <= 1024, "want 1 to 1024, have %d", a.Width)
	v.oneOf("loss.adversarial.input", a.Input, SeesSoftmax, SeesEntropy)
}
