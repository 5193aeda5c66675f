package nets

import (
	"fmt"
	"slices"
	"strings"
)

// Arch describes a network. It has no defaults: every field that Validate names must be set.
type Arch struct {
	Encoder        string     // one of [Encoders]
	Stem           string     // of ResNets: "deep" (also if empty), V1c's; "plain", 7×7, torchvision's
	EncoderBN      string     // of encoders with batch norm: "batch" (also if empty), "frozen"
	Head           string     // one of [Heads]
	Classes        int        // channels of the logits
	HeadWidth      int        // channels inside of the head, if there are; public: 256, SegFormer from B2 on 768
	Dilations      []int      // of head deeplabv2; empty: 6, 12
	ProjectorWidth int        // channels of the projected features; 0: no projector
	ProjectorInput string     // "concat": all levels at the first one's size; "last": the last level
	DropPath       float64    // stochastic depth's rate at the last block; linear from 0 at the first
	Dropout        float64    // rate of the channel dropout before the classifier
	EncoderTrain   string     // what of the encoder is trained: "all" (also if empty), "frozen", "lora"
	LoRARank       int        // r of encoder_train lora
	LoRAAlpha      float64    // α of encoder_train lora: adapters count α/r
	DetailWidth    int        // of HRDA's details at full resolution, px; 0: the network has one resolution
	DetailHeight   int        // likewise
	AttentionWidth int        // channels inside of HRDA's scale attention; public: 256
	Mean, Std      [3]float32 // of the input, RGB, on the scale 0–255; see [Input]
}

// ProjectorInput's values.
const (
	ProjectConcat = "concat"
	ProjectLast   = "last"
)

// Stem's values.
const (
	StemDeep  = "deep"
	StemPlain = "plain"
)

// EncoderBN's values.
const (
	// BNBatch: batch norms of the encoder are trained, and normalise by the batch's statistics.
	BNBatch = "batch"
	// BNFrozen: they stay as they are, scale and shift too, and normalise by running statistics.
	BNFrozen = "frozen"
)

// Validate reports the first field that is out of range, by name and with what would do.
func (a Arch) Validate() error {
	e, ok := encoders[a.Encoder]
	if !ok {
		return fmt.Errorf("encoder %q does not exist; there are %s", a.Encoder, strings.Join(Encoders(), ", "))
	}
	h, ok := heads[a.Head]
	if !ok {
		return fmt.Errorf("head %q does not exist; there are %s", a.Head, strings.Join(Heads(), ", "))
	}
	if a.Classes < 1 {
		return fmt.Errorf("classes is %d, must be at least 1", a.Classes)
	}
	if a.ProjectorWidth < 0 {
		return fmt.Errorf("projector width is %d, must be at least 1, or 0 for none", a.ProjectorWidth)
	}
	if inputs := []string{ProjectConcat, ProjectLast}; a.ProjectorWidth > 0 && !slices.Contains(inputs, a.ProjectorInput) {
		return fmt.Errorf("projector input %q does not exist; there are %s", a.ProjectorInput, strings.Join(inputs, ", "))
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
	if err := e.check(a); err != nil {
		return fmt.Errorf("encoder %s: %w", a.Encoder, err)
	}
	if err := a.checkTrain(e.encoder); err != nil {
		return fmt.Errorf("encoder %s: %w", a.Encoder, err)
	}
	if err := h.check(a); err != nil {
		return fmt.Errorf("head %s: %w", a.Head, err)
	}
	return a.checkDetails()
}

// oneOf refuses a setting that is neither empty nor one of those wanted. Without any, nobody reads
// it.
func oneOf(setting, have string, want ...string) error {
	switch {
	case have == "" || slices.Contains(want, have):
		return nil
	case len(want) == 0:
		return fmt.Errorf("there is no %s to choose: have %q, leave it empty", setting, have)
	}
	return fmt.Errorf("%s %q does not exist; there are %s", setting, have, strings.Join(want, ", "))
}

// checkHead refuses what heads with layers inside cannot use.
func (a Arch) checkHead() error {
	if a.HeadWidth < 1 {
		return fmt.Errorf("head width is %d, must be at least 1", a.HeadWidth)
	}
	return a.checkDilations()
}

// checkDilations refuses dilations, for heads that have none.
func (a Arch) checkDilations() error {
	if len(a.Dilations) > 0 {
		return fmt.Errorf("there are no dilations to choose: have %v, leave them empty", a.Dilations)
	}
	return nil
}

// MinSize returns the least height (and width) in pixels that the encoder takes.
func (a Arch) MinSize() (int, error) {
	if err := a.Validate(); err != nil {
		return 0, err
	}
	least := encoders[a.Encoder].least()
	if a.HasDetails() {
		least *= 2 // which the context is half of
	}
	return least, nil
}

// Published reports whether ImageNet weights of the encoder are public, which the papers' networks
// start from.
func (a Arch) Published() bool { return encoders[a.Encoder].published }

// Params returns all parameters that are trained, in arena order: encoder with decay, encoder without, head with,
// head without; within these, in order of declaration.
func (a Arch) Params() ([]ParamSpec, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	n, err := declare(a, encoders[a.Encoder])
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(n.params, func(p, q ParamSpec) int { return p.rank() - q.rank() })
	return n.params, nil
}

// Fixed returns the tensors of an encoder that is not trained, or by adapters only, in order of
// declaration: its parameters, were it trained.
func (a Arch) Fixed() ([]ParamSpec, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	n, err := declare(a, encoders[a.Encoder])
	if err != nil {
		return nil, err
	}
	return n.fixed, nil
}

// Buffers returns all other tensors that are saved and never trained, in order of declaration: of every
// batch norm, its running mean and variance; of frozen ones, scale and shift before them.
func (a Arch) Buffers() ([]BufferSpec, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	n, err := declare(a, encoders[a.Encoder])
	if err != nil {
		return nil, err
	}
	return n.buffers, nil
}
