package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
	MinEnt                 = "minent"
	AdaptSegNet            = "adaptsegnet"
	AdvEnt                 = "advent"
	CBST                   = "cbst"
	CRST                   = "crst"
	IAST                   = "iast"
	FADA                   = "fada"
	SAC                    = "sac"
	ProDA                  = "proda"
	CPSL                   = "cpsl"
	PLCA                   = "plca"
	SePiCo                 = "sepico"
	CAG                    = "cag"
	RCCR                   = "rccr"
)

// The domains that images come from. Pseudo-target images are source images in
// the target's style, with the source's labels.
const (
	DomainSource = "source"
	DomainPseudo = "pseudo"
	DomainTarget = "target"
	DomainBoth   = "both" // source and pseudo-target
)

// The terms of the loss, in the order of an iteration.
const (
	TermSource      = "source"      // L_S: cross-entropy on labelled images, with the feature distance
	TermPull        = "pull"        // λ·L_pull: pseudo-target features to source prototypes
	TermMix         = "mix"         // L_T: cross-entropy on target images with the teacher's labels
	TermMask        = "mask"        // L_M: the same on target images of which blocks are hidden (MIC)
	TermEntropy     = "entropy"     // L_ent: certainty on target images
	TermAdversarial = "adversarial" // L_adv: predictions of target images that a discriminator takes for the source's
	// L_cadv: features of target images that a discriminator takes for the source's, class by class
	TermClassAdversarial = "class-adversarial"
	TermSelect           = "select"    // L_st: cross-entropy on target images with labels of the teacher that pass a threshold of their class
	TermViews            = "views"     // L_views: cross-entropy on target images with labels of several views of the teacher's
	TermDenoise          = "denoise"   // L_dn: target images with labels of a round, denoised by prototypes
	TermCluster          = "cluster"   // L_cl: as denoise, and positions assigned to prototypes so that classes have their shares
	TermAssociate        = "associate" // L_asso: cycles between source and target positions that are alike
	TermContrast         = "contrast"  // L_con: features of both domains to anchors of their class
	TermRegions          = "regions"   // L_reg: features of regions of mixed target images to the teacher's of the images as they are
)

// Terms lists every term.
func Terms() []string {
	return []string{TermSource, TermPull, TermMix, TermMask, TermEntropy, TermAdversarial, TermClassAdversarial, TermSelect, TermViews, TermDenoise, TermCluster, TermContrast, TermAssociate, TermRegions}
}

// Method is one of [Methods], terms of the loss joined by +, as in source+mix, or one
// of the methods with terms that it lacks, as in t2s+mask. In YAML terms may also be
// listed: {terms: [source, mix]}.
type Method string

// termsOf reads a list of terms.
func termsOf(n *yaml.Node) (Method, error) {
	var terms []string
	err := pairs(n, func(key string, value *yaml.Node) error {
		if key != "terms" {
			return fmt.Errorf("unknown key %q", key)
		}
		list, err := readNode(reflect.TypeFor[[]string](), value)
		if err == nil {
			terms = list.([]string)
		}
		return err
	})
	if err == nil && len(terms) == 0 {
		err = errors.New("there are no terms")
	}
	if err != nil {
		return "", fmt.Errorf("want a method, or {terms: [%s]} with some of these: %w", strings.Join(Terms(), ", "), err)
	}
	return Method(strings.Join(terms, "+")), nil
}

// method says what a method learns from.
type method struct {
	name     Method
	sentence string
	labelled string   // domain of the images whose labels are read
	target   bool     // unlabelled target images are read
	terms    []string // of the loss
	// What the method's name settles, whatever the configuration says; empty: as
	// configured. A comparison's rows so mean the same under every preset.
	ce, mix, kind, sees, rule, anchors string
}

// methods has one row per method, in the order in which tables show them. The
// rows between source-only and t2s are what the pull must be held against:
// translated images alone, self-training alone, and both (the paper's "w/ FDA").
var methods = []method{
	{
		name: SourceOnly, sentence: "labelled source images only",
		labelled: DomainSource, terms: []string{TermSource}, ce: DomainSource,
	},
	{
		name: Translated, sentence: "labelled source images in the target's style",
		labelled: DomainSource, target: true, terms: []string{TermSource}, ce: DomainPseudo,
	},
	{
		name: SelfTraining, sentence: "labelled source images, and target images with the teacher's labels",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermMix}, ce: DomainSource, mix: DomainSource,
	},
	{
		name: SelfTrainingTranslated, sentence: "labelled source images in the target's style, and target images with the teacher's labels",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermMix}, ce: DomainPseudo,
	},
	{
		name: T2SMSE, sentence: "as t2s, pulled by the squared distance",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermPull, TermMix}, kind: "mse",
	},
	{
		name: T2S, sentence: "labelled source images, target images with the teacher's labels, and pseudo-target features pulled to source prototypes",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermPull, TermMix},
	},
	{
		name: TargetOnly, sentence: "labelled target images, the upper bound",
		labelled: DomainTarget, terms: []string{TermSource}, ce: DomainSource,
	},
	{
		name: Generalise, sentence: "labelled source images, and pseudo-target features pulled to source prototypes; no target images",
		labelled: DomainSource, terms: []string{TermSource, TermPull},
	},
	// Other families of the paper's tables, see docs/methods.md.
	{
		name: MinEnt, sentence: "labelled source images, and target images that shall be predicted with certainty",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermEntropy}, ce: DomainSource,
	},
	{
		name: AdaptSegNet, sentence: "labelled source images, and a discriminator of what is predicted of source and target images",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermAdversarial}, ce: DomainSource, sees: SeesSoftmax,
	},
	{
		name: AdvEnt, sentence: "labelled source images, and a discriminator of how certain predictions of source and target images are",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermAdversarial}, ce: DomainSource, sees: SeesEntropy,
	},
	{
		name: FADA, sentence: "labelled source images, and a discriminator of features of source and target images, class by class",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermClassAdversarial}, ce: DomainSource,
	},
	{
		name: CBST, sentence: "labelled source images, and target images with the labels that the teacher is surest of in each class",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermSelect}, ce: DomainSource, rule: RuleCBST,
	},
	{
		name: CRST, sentence: "as cbst, and labelled target pixels shall not be predicted with certainty",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermSelect}, ce: DomainSource, rule: RuleCRST,
	},
	{
		name: IAST, sentence: "as crst with thresholds that adapt to the image, and the other target pixels shall be predicted with certainty",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermSelect}, ce: DomainSource, rule: RuleIAST,
	},
	{
		name: SAC, sentence: "labelled source images, and target images with the labels that the teacher gives to several views of them on average",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermViews}, ce: DomainSource,
	},
	{
		name: ProDA, sentence: "labelled source images, and target images with labels of the teacher's of a round, weighed by the distance to prototypes",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermDenoise}, ce: DomainSource,
	},
	{
		name: CPSL, sentence: "as proda by angles to prototypes, to which target positions are assigned by the classes' shares",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermCluster}, ce: DomainSource,
	},
	{
		name: PLCA, sentence: "labelled source images, and positions of source and target images that are alike in cycles",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermAssociate}, ce: DomainSource,
	},
	{
		name: SePiCo, sentence: "as self-training, and features of both domains contrasted with every class's source prototype",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermMix, TermContrast}, ce: DomainSource, mix: DomainSource, anchors: ContrastInfoNCE,
	},
	{
		name: CAG, sentence: "as self-training, and features of both domains near their class's source anchor",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermMix, TermContrast}, ce: DomainSource, mix: DomainSource, anchors: ContrastMSE,
	},
	{
		name: RCCR, sentence: "as self-training, and regions of mixed target images told from others by their features",
		labelled: DomainSource, target: true, terms: []string{TermSource, TermMix, TermRegions}, ce: DomainSource, mix: DomainSource,
	},
}

// errMethod says what method may be.
var errMethod = fmt.Errorf("want one of %s, or terms of the loss joined by + (%s first, then of %s), or a method with terms that it lacks, as %s+%s",
	strings.Join(Methods(), ", "), TermSource, strings.Join(Terms()[1:], ", "), T2S, TermMask)

// methodOf returns a method's row. A name of terms, "source+mix", is a method of
// these alone in the paper's setting: all else is as configured. "t2s+mask" is t2s
// with one more term.
func methodOf(name Method) (method, error) {
	m, added, ok := readName(name)
	if !ok {
		return method{}, errMethod
	}
	m.name, m.terms = name, slices.Concat(m.terms, added)
	for i, t := range m.terms {
		if !slices.Contains(Terms(), t) || slices.Contains(m.terms[:i], t) {
			return method{}, errMethod
		}
	}
	switch {
	case m.sentence == "":
		m.sentence = "the terms " + strings.Join(m.terms, ", ") + " of the loss, as configured"
	case len(added) > 0:
		m.sentence += "; with " + strings.Join(added, ", ") + " in the loss"
	}
	return m, nil
}

// readName returns what a name begins with, a row of the table or source, and the terms
// that follow. The longest beginning counts, since some rows' names hold a +.
func readName(name Method) (base method, added []string, ok bool) {
	bases := append(slices.Clone(methods), method{name: TermSource, labelled: DomainSource, target: true, terms: []string{TermSource}})
	for first := string(name); ; {
		if i := slices.IndexFunc(bases, func(m method) bool { return string(m.name) == first }); i >= 0 {
			return bases[i], added, true
		}
		i := strings.LastIndex(first, "+")
		if i < 0 {
			return method{}, nil, false
		}
		first, added = first[:i], append([]string{first[i+1:]}, added...)
	}
}

// Methods lists every method.
func Methods() []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m.name)
	}
	return names
}

// Sentence says what a method learns from; empty for an unknown one.
func (m Method) Sentence() string {
	row, _ := methodOf(m)
	return row.sentence
}

// method returns the configured method's row; the zero value for an unknown one,
// which [Config.Validate] refuses.
func (c *Config) method() method {
	m, _ := methodOf(c.Method)
	return m
}

// WithMethod returns the configuration with another method and without a baseline: valid, and with
// ${VAR} expanded in the paths that this one reads and the other may not.
func (c Config) WithMethod(m Method) (Config, error) {
	c.Method, c.Baseline = m, false
	err := c.expand()
	if err == nil {
		err = c.Validate()
	}
	return c, err
}

// LabelsTarget reports whether the labels that are learned from are the target's.
func (c *Config) LabelsTarget() bool { return c.method().labelled == DomainTarget }

// UsesTarget reports whether the run reads unlabelled target images.
func (c *Config) UsesTarget() bool { return c.method().target }

// Trains reports whether a term is trained: it is one of the method's, and weighs
// something.
func (c *Config) Trains(term string) bool {
	weight := 1.0 // others' are never 0
	switch term {
	case TermPull:
		weight = c.Loss.Pull.Weight
	case TermMix:
		weight = c.Loss.MixWeight
	case TermMask:
		weight = c.Loss.Mask.Weight
	}
	return weight > 0 && slices.Contains(c.method().terms, term)
}

// UsesMix reports whether L_T is trained.
func (c *Config) UsesMix() bool { return c.Trains(TermMix) }

// UsesPull reports whether the pull term is trained.
func (c *Config) UsesPull() bool { return c.Trains(TermPull) }

// UsesMask reports whether masked images are learned from.
func (c *Config) UsesMask() bool { return c.Trains(TermMask) }

// UsesFeatureDistance reports whether the run stays near its initial features.
// Methods that are cross-entropy on labelled images alone never do, and a frozen
// encoder cannot but.
func (c *Config) UsesFeatureDistance() bool {
	return len(c.method().terms) > 1 && c.Loss.FeatureDistance.Weight > 0 && c.Model.EncoderTrain != TrainFrozen
}

// UsesTeacher reports whether the run keeps a momentum teacher.
func (c *Config) UsesTeacher() bool {
	return c.UsesPseudoLabels() || c.UsesPull() || c.UsesSelect() || c.UsesViews() || c.UsesDenoise() || c.UsesCluster() || c.UsesContrast() || c.UsesRegions()
}

// UsesPseudoLabels reports whether the teacher's labels of target images, weighed by
// the image, are learned from.
func (c *Config) UsesPseudoLabels() bool { return c.UsesMix() || c.UsesMask() }

// CEDomain returns the images that L_S is taken on: source, pseudo or both.
// Where the method settles it, loss.ce_domain is not read.
func (c *Config) CEDomain() string { return settled(c.method().ce, c.Loss.CEDomain) }

// UsesClassMix reports whether a term looks at target images that ClassMix pastes over.
func (c *Config) UsesClassMix() bool { return c.UsesMix() || c.UsesRegions() }

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
		c.UsesClassMix() && c.MixDomain() == DomainPseudo ||
		c.UsesPull() && (p.QueryDomain == DomainPseudo || p.KeyDomain == DomainPseudo)
}
