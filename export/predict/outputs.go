package predict

import (
	"fmt"
	"slices"
	"strings"
)

// What the outputs of a model that t2sda exported hold. Each is made at the image's size or, with
// [StrideSuffix] after its name, at that of the network's logits.
const (
	OutputLogits     = "logits"       // float32 [N,classes,H,W], bilinear with half-pixel centres
	OutputSoftmax    = "softmax"      // float32 [N,classes,H,W], of the logits
	OutputLabels     = "labels"       // uint8 [N,H,W], argmax of the logits
	OutputLabels64   = "labels_int64" // the same as int64
	OutputConfidence = "confidence"   // float32 [N,H,W], the largest of softmax
)

// StrideSuffix ends the names of outputs at the logits' own size.
const StrideSuffix = "_stride"

// kinds lists what outputs hold, that which predictions are best made of first; of the last none
// can be.
var kinds = []string{OutputLogits, OutputSoftmax, OutputLabels, OutputLabels64, OutputConfidence}

// Output is what an output's name says.
type Output struct {
	Kind   string
	Stride bool
}

// Outputs lists the names of the outputs that a model may have.
func Outputs() []string {
	var all []string
	for _, k := range kinds {
		all = append(all, k, k+StrideSuffix)
	}
	return all
}

// ParseOutput reads an output's name. Of one that does not exist the error lists those that do.
func ParseOutput(name string) (Output, error) {
	kind, stride := strings.CutSuffix(name, StrideSuffix)
	if !slices.Contains(kinds, kind) {
		return Output{}, fmt.Errorf("output %q does not exist; there are %s", name, strings.Join(Outputs(), ", "))
	}
	return Output{kind, stride}, nil
}

// Best returns the output, of at least one, of which predictions are made where nothing names one.
func Best(all []OutputInfo) OutputInfo {
	return slices.MinFunc(all, func(a, b OutputInfo) int {
		rank := func(o OutputInfo) int {
			r := 2 * slices.Index(kinds, o.Kind)
			if strings.HasSuffix(o.Name, StrideSuffix) {
				r++
			}
			return r
		}
		return rank(a) - rank(b)
	})
}

// choose makes the output of that name, or without one the best, the one that predictions are made
// of.
func (m *Metadata) choose(name string) error {
	if name == "" {
		m.Output = Best(m.Outputs)
	} else {
		i := slices.IndexFunc(m.Outputs, func(o OutputInfo) bool { return o.Name == name })
		if i < 0 {
			return fmt.Errorf("it has no output %q by its metadata", name)
		}
		m.Output = m.Outputs[i]
	}
	if m.Output.Kind == OutputConfidence {
		return fmt.Errorf("output %s says how sure the model is, not of what: of it alone no labels can be made", m.Output.Name)
	}
	return nil
}

// chosen returns the output that a session of a model of t2sda's has to compute; nil, for all, of
// other models.
func chosen(props map[string]string) []string {
	m, err := ParseMetadata(props)
	if err != nil || m.choose("") != nil {
		return nil
	}
	return []string{m.Output.Name}
}

// Certainty returns the largest softmax per position, [h,w], of one image's logits [C,h,w]
// (shape), resized as by [Argmax].
func Certainty(logits []float32, shape [3]int, w, h int) []float32 {
	out := make([]float32, w*h)
	m := logitMap{c: shape[0], h: shape[1], w: shape[2], pix: logits}
	m.certainty(w, h, false, func(i int, p float32) { out[i] = p })
	return out
}
