package configs

import "slices"

// The methods of a run.
const (
	SourceOnly             = "source-only"
	Translated             = "translated"
	SelfTraining           = "self-training"
	SelfTrainingTranslated = "self-training+translated"
	T2S                    = "t2s"
	T2SMSE                 = "t2s-mse"
	TargetOnly             = "target-only"
	Generalise             = "generalise"
)

// The domains that images come from. Pseudo-target images are source images in
// the target's style, with the source's labels.
const (
	DomainSource = "source"
	DomainPseudo = "pseudo"
	DomainTarget = "target"
	DomainBoth   = "both" // source and pseudo-target
)

// method says what a method learns from.
type method struct {
	name     string
	sentence string
	labelled string // domain of the images whose labels are read
	target   bool   // unlabelled target images are read
	mixes    bool   // L_T: target images with the teacher's labels
	pulls    bool   // L_pull
	keeps    bool   // the feature distance, where it has a weight
	// What the method's name settles, whatever the configuration says; empty: as
	// configured. A comparison's rows so mean the same under every preset.
	ce, mix, kind string
}

// methods has one row per method, in the order in which tables show them. The
// rows between source-only and t2s are what the pull must be held against:
// translated images alone, self-training alone, and both (the paper's "w/ FDA").
var methods = []method{
	{
		name: SourceOnly, sentence: "labelled source images only",
		labelled: DomainSource, ce: DomainSource,
	},
	{
		name: Translated, sentence: "labelled source images in the target's style",
		labelled: DomainSource, target: true, ce: DomainPseudo,
	},
	{
		name: SelfTraining, sentence: "labelled source images, and target images with the teacher's labels",
		labelled: DomainSource, target: true, mixes: true, keeps: true, ce: DomainSource, mix: DomainSource,
	},
	{
		name: SelfTrainingTranslated, sentence: "labelled source images in the target's style, and target images with the teacher's labels",
		labelled: DomainSource, target: true, mixes: true, keeps: true, ce: DomainPseudo,
	},
	{
		name: T2SMSE, sentence: "as t2s, pulled by the squared distance",
		labelled: DomainSource, target: true, mixes: true, pulls: true, keeps: true, kind: "mse",
	},
	{
		name: T2S, sentence: "labelled source images, target images with the teacher's labels, and pseudo-target features pulled to source prototypes",
		labelled: DomainSource, target: true, mixes: true, pulls: true, keeps: true,
	},
	{
		name: TargetOnly, sentence: "labelled target images, the upper bound",
		labelled: DomainTarget, ce: DomainSource,
	},
	{
		name: Generalise, sentence: "labelled source images, and pseudo-target features pulled to source prototypes; no target images",
		labelled: DomainSource, pulls: true, keeps: true,
	},
}

// Methods lists every method.
func Methods() []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.name
	}
	return names
}

// MethodSentence says what a method learns from; empty for an unknown one.
func MethodSentence(name string) string {
	c := Config{Method: name}
	return c.method().sentence
}

// method returns the configured method's row; the zero value for an unknown one,
// which [Config.Validate] refuses.
func (c *Config) method() method {
	if i := slices.IndexFunc(methods, func(m method) bool { return m.name == c.Method }); i >= 0 {
		return methods[i]
	}
	return method{}
}

// LabelsTarget reports whether the labels that are learned from are the target's.
func (c *Config) LabelsTarget() bool { return c.method().labelled == DomainTarget }

// UsesTarget reports whether the run reads unlabelled target images.
func (c *Config) UsesTarget() bool { return c.method().target }

// UsesMix reports whether L_T is trained.
func (c *Config) UsesMix() bool { return c.method().mixes && c.Loss.MixWeight > 0 }

// UsesPull reports whether the pull term is trained.
func (c *Config) UsesPull() bool { return c.method().pulls && c.Loss.Pull.Weight > 0 }

// UsesFeatureDistance reports whether the run stays near its initial features.
// Methods that are cross-entropy alone never do.
func (c *Config) UsesFeatureDistance() bool {
	return c.method().keeps && c.Loss.FeatureDistance.Weight > 0
}

// UsesTeacher reports whether the run keeps a momentum teacher.
func (c *Config) UsesTeacher() bool { return c.UsesMix() || c.UsesPull() }

// CEDomain returns the images that L_S is taken on: source, pseudo or both.
// Where the method settles it, loss.ce_domain is not read.
func (c *Config) CEDomain() string { return settled(c.method().ce, c.Loss.CEDomain) }

// MixDomain returns the images whose pixels ClassMix pastes: source or pseudo.
// Where the method settles it, loss.mix_domain is not read.
func (c *Config) MixDomain() string { return settled(c.method().mix, c.Loss.MixDomain) }

// PullKind returns the pull's loss: infonce or mse. Where the method settles it,
// loss.pull.kind is not read.
func (c *Config) PullKind() string { return settled(c.method().kind, c.Loss.Pull.Kind) }

func settled(byMethod, configured string) string {
	if byMethod != "" {
		return byMethod
	}
	return configured
}

// UsesPseudo reports whether any term looks at translated images.
func (c *Config) UsesPseudo() bool {
	p := c.Loss.Pull
	return c.CEDomain() != DomainSource ||
		c.UsesMix() && c.MixDomain() == DomainPseudo ||
		c.UsesPull() && (p.QueryDomain == DomainPseudo || p.KeyDomain == DomainPseudo)
}
