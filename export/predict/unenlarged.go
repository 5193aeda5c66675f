package predict

import (
	"slices"
	"strconv"

	"t2sda/internal/onnxmodel"
)

// enlargement is the last step of many networks, the bilinear enlargement of their logits to the
// image's size.
type enlargement struct {
	dims   []int      // of the output, by the model; -1: free
	factor [2]float32 // of height and width; 0: the size is given instead, or nobody knows
}

// of returns the size of an output that the model makes of h × w logits, 0×0 where nobody knows.
func (e *enlargement) of(h, w int) (int, int) {
	return int(float32(h) * e.factor[0]), int(float32(w) * e.factor[1])
}

// unenlarged returns the model without its last enlargement. The output is the first of the names, or
// without names the only one; what is returned has no other, and this one at the logits' own size. Where
// they are to be restored to what the model gives, nothing may be done after the enlargement, and the
// places of pixels follow from fixed sizes, see [placed]. It returns nil where the output is made
// otherwise, or the model cannot be edited.
func unenlarged(model []byte, names []string, restore bool) (edited []byte, without *enlargement) {
	m, err := onnxmodel.Parse(model)
	if err != nil { // with weights beside it, for one
		return nil, nil
	}
	outputs := slices.DeleteFunc(slices.Clone(m.Outputs), func(o onnxmodel.Info) bool {
		return len(names) > 0 && o.Name != names[0]
	})
	if len(outputs) != 1 || len(m.Inputs) != 1 || !sameSides(m.Inputs[0].Axes(), outputs[0].Axes()) {
		return nil, nil
	}
	output := outputs[0].Name
	makers := m.Producers()
	last := makers[output]
	for range m.Nodes {
		if last != nil && (last.Op == "Identity" || last.Op == "Cast" && !restore) && last.Domain == "" && len(last.Inputs) == 1 {
			last = makers[last.Inputs[0]]
		}
	}
	if last == nil || !enlarges(last) {
		return nil, nil
	}
	without = &enlargement{}
	for _, axis := range outputs[0].Axes() {
		n, err := strconv.Atoi(axis)
		if err != nil {
			n = -1
		}
		without.dims = append(without.dims, n)
	}
	known := true
	if name := last.Inputs[2]; name != "" {
		known = without.readFactors(m.Tensor(name))
	}
	if restore && !(known && outputs[0].Type == onnxmodel.Float32 && without.restorable()) {
		return nil, nil
	}
	*last = onnxmodel.Node{Name: last.Name, Op: "Identity", Inputs: last.Inputs[:1], Outputs: last.Outputs}
	m.Outputs = []onnxmodel.Info{{Name: output, Type: outputs[0].Type}}
	m.Prune()
	if edited, err = m.Bytes(); err != nil {
		return nil, nil
	}
	return edited, without
}

// readFactors takes the factors of a Resize, if it is given any; false where they are computed.
func (e *enlargement) readFactors(of *onnxmodel.Tensor) bool {
	if of == nil || of.Type != onnxmodel.Float32 {
		return false
	}
	if factors := of.Floats(); len(factors) >= 2 {
		e.factor = [2]float32(factors[len(factors)-2:])
	}
	return true
}

// restorable reports whether places follow from fixed sizes: those of several classes' logits, which are
// given, or come of factors that are whole numbers.
func (e *enlargement) restorable() bool {
	for _, f := range e.factor {
		if f != float32(int(f)) {
			return false
		}
	}
	return !slices.Contains(e.dims, -1) && e.dims[1] > 1 && e.dims[2] > 1 && e.dims[3] > 1
}

// sameSides reports whether an image [N,3,H,W] or [N,H,W,3], with or without N, and maps
// [N,C,H,W] have the same height and width, of whatever numbers or names.
func sameSides(image, maps []string) bool {
	if len(maps) != 4 || len(image) < 3 || maps[2] == "" || maps[3] == "" {
		return false
	}
	n := len(image)
	return slices.Equal(image[n-2:], maps[2:]) || slices.Equal(image[n-3:n-1], maps[2:])
}

// enlarges reports whether a node resizes as [logitMap.each] does: bilinearly, with half-pixel
// centres (which pytorch_half_pixel has, too, unless a side becomes a single pixel). Up to
// version 10 of the operators, where Resize has two operands, centres are others.
func enlarges(n *onnxmodel.Node) bool {
	centres := n.Text("coordinate_transformation_mode", "half_pixel")
	return n.Op == "Resize" && n.Domain == "" && len(n.Inputs) > 2 && n.Text("mode", "nearest") == "linear" &&
		(centres == "half_pixel" || centres == "pytorch_half_pixel") &&
		n.Int("antialias", 0) == 0 && n.Int("exclude_outside", 0) == 0 && n.Text("keep_aspect_ratio_policy", "stretch") == "stretch"
}
