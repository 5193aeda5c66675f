package nets

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Arch describes a network. It has no defaults: every field that Validate names must be set.
type Arch struct {
	Encoder        string     // mit_nano, mit_b0 … mit_b5
	Head           string     // segformer or daformer
	Classes        int        // channels of the logits
	HeadWidth      int        // channels inside of the head; public models: 256, SegFormer from B2 on 768
	ProjectorWidth int        // channels of the projected features; 0: no projector
	ProjectorInput string     // "concat": all levels at stride 4; "last": the last level at stride 32
	DropPath       float64    // stochastic depth's rate at the last block; it grows linearly from 0 at the first
	Dropout        float64    // rate of the channel dropout before the classifier
	Mean, Std      [3]float32 // of the input, RGB, on the scale 0–255
}

// ProjectorInput's values.
const (
	ProjectConcat = "concat"
	ProjectLast   = "last"
)

// encoder holds the numbers of one MiT variant, by stage.
type encoder struct {
	widths, heads, depths, mlp [4]int
	ratios                     [4]int // spatial reduction of keys and values
	linearStd                  float64
}

// publicLinearStd is the standard deviation of linear weights in the public models.
const publicLinearStd = 0.02

// nanoLinearStd is mit_nano's: the public value suits widths of some hundreds, of which it is about half of 1/√width, and leaves the branches of a network this narrow nearly silent. On rendered streets,
// 300 iterations from scratch ended at a cross-entropy of 0.59 with 0.1, of 0.69 with 0.02 and of 0.67 with 0.2.
const nanoLinearStd = 0.1

func mit(first int, depths [4]int) encoder {
	widths := [4]int{64, 128, 320, 512}
	if first == 32 {
		widths = [4]int{32, 64, 160, 256}
	}
	return encoder{
		widths: widths, heads: [4]int{1, 2, 5, 8}, depths: depths, mlp: [4]int{4, 4, 4, 4},
		ratios: [4]int{8, 4, 2, 1}, linearStd: publicLinearStd,
	}
}

// encoders has one entry per variant; it is never modified. mit_nano is ours, for images of about 256×128 and training on a CPU; the others are the public ones.
var encoders = map[string]encoder{
	"mit_nano": {
		widths: [4]int{16, 32, 64, 128}, heads: [4]int{1, 2, 4, 8}, depths: [4]int{1, 2, 2, 2}, mlp: [4]int{4, 4, 4, 2},
		ratios: [4]int{8, 4, 2, 1}, linearStd: nanoLinearStd,
	},
	"mit_b0": mit(32, [4]int{2, 2, 2, 2}),
	"mit_b1": mit(64, [4]int{2, 2, 2, 2}),
	"mit_b2": mit(64, [4]int{3, 4, 6, 3}),
	"mit_b3": mit(64, [4]int{3, 4, 18, 3}),
	"mit_b4": mit(64, [4]int{3, 8, 27, 3}),
	"mit_b5": mit(64, [4]int{3, 6, 40, 3}),
}

// head is one decoder: its parameters, its graph up to the classifier, and the classifier's name.
type head struct {
	specs      func(l *specList, a Arch, e encoder)
	decode     func(n *Net, levels []*value) *value
	classifier string
}

// headNamed returns the decoder called name.
func headNamed(name string) (head, bool) {
	switch name {
	case "segformer":
		return head{segformerSpecs, (*Net).segformer, segformerClassifier}, true
	case "daformer":
		return head{daformerSpecs, (*Net).daformer, daformerClassifier}, true
	}
	return head{}, false
}

// Encoders lists the names that Arch.Encoder accepts.
func Encoders() []string { return slices.Sorted(maps.Keys(encoders)) }

// Heads lists the names that Arch.Head accepts.
func Heads() []string { return []string{"daformer", "segformer"} }

// Validate reports the first field that is out of range, by name and with what would do.
func (a Arch) Validate() error {
	if _, ok := encoders[a.Encoder]; !ok {
		return fmt.Errorf("encoder %q does not exist; there are %s", a.Encoder, strings.Join(Encoders(), ", "))
	}
	if _, ok := headNamed(a.Head); !ok {
		return fmt.Errorf("head %q does not exist; there are %s", a.Head, strings.Join(Heads(), ", "))
	}
	if a.Classes < 1 {
		return fmt.Errorf("classes is %d, must be at least 1", a.Classes)
	}
	if a.HeadWidth < 1 {
		return fmt.Errorf("head width is %d, must be at least 1", a.HeadWidth)
	}
	if a.ProjectorWidth < 0 {
		return fmt.Errorf("projector width is %d, must be at least 1, or 0 for none", a.ProjectorWidth)
	}
	if a.ProjectorWidth > 0 && a.ProjectorInput != ProjectConcat && a.ProjectorInput != ProjectLast {
		return fmt.Errorf("projector input %q does not exist; there are %s, %s", a.ProjectorInput, ProjectConcat, ProjectLast)
	}
	if !(a.DropPath >= 0 && a.DropPath < 1) {
		return fmt.Errorf("drop path rate is %g, must be in [0,1)", a.DropPath)
	}
	if !(a.Dropout >= 0 && a.Dropout < 1) {
		return fmt.Errorf("dropout rate is %g, must be in [0,1)", a.Dropout)
	}
	for i, s := range a.Std {
		if !(s > 0) {
			return fmt.Errorf("std[%d] is %g, must be positive", i, s)
		}
	}
	return nil
}

// MinSize returns the least height (and width) in pixels of an input: every stage's map must hold at least one window of its spatial reduction.
func (a Arch) MinSize() (int, error) {
	if err := a.Validate(); err != nil {
		return 0, err
	}
	e := encoders[a.Encoder]
	for size := 1; ; size++ {
		n, fits := size, true
		for s := range 4 {
			n = embeddings[s].outSize(n)
			fits = fits && n >= e.ratios[s]
		}
		if fits {
			return size, nil
		}
	}
}

// embedding is the geometry of a stage's overlapping patch embedding.
type embedding struct{ kernel, stride, pad int }

var embeddings = [4]embedding{{7, 4, 3}, {3, 2, 1}, {3, 2, 1}, {3, 2, 1}}

func (e embedding) outSize(n int) int { return (n+2*e.pad-e.kernel)/e.stride + 1 }
