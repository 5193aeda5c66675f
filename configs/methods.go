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
	TermSource = "source" // L_S: cross-entropy on labelled images, with the feature distance
	TermPull   = "pull"   // λ·L_pull: pseudo-target features to source prototypes
	TermMix    = "mix"    // L_T: cross-entropy on target images with the teacher's labels
	TermMask   = "mask"   // L_M: the same on target images of which blocks are hidden (MIC)
)

// Terms lists every term.
func Terms() []string { return []string{TermSource, TermPull, TermMix, TermMask} }

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
	ce, mix, kind string
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

// LabelsTarget reports whether the labels that are learned from are the target's.
func (c *Config) LabelsTarget() bool { return c.method().labelled == DomainTarget }

// UsesTarget reports whether the run reads unlabelled target images.
func (c *Config) UsesTarget() bool { return c.method().target }

// Trains reports whether a term is trained: it is one of the method's, and weighs
// something.
func (c *Config) Trains(term string) bool {
	weighs := map[string]bool{TermSource: true, TermPull: c.Loss.Pull.Weight > 0, TermMix: c.Loss.MixWeight > 0, TermMask: c.Loss.Mask.Weight > 0}
	return slices.Contains(c.method().terms, term) && weighs[term]
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
func (c *Config) UsesTeacher() bool { return c.UsesPseudoLabels() || c.UsesPull() }

// UsesPseudoLabels reports whether the teacher's labels of target images are learned
// from.
func (c *Config) UsesPseudoLabels() bool { return c.UsesMix() || c.UsesMask() }

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
