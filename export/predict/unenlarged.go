package predict

import (
	"slices"
	"strconv"

	"t2sda/internal/onnxmodel"
)

// unenlarged returns the model without the last step of many networks, the bilinear enlargement of
// their logits to the image's size, and the shape that its output has by itself, -1 for a free
// dimension. The output is the first of the names, or without names the only one; what is returned
// has no other, and this one at the logits' own size. Where they are to be restored to what the model
// gives, bit by bit, nothing may be done after the enlargement. It returns nil where the output is made
// otherwise, or the model cannot be edited.
func unenlarged(model []byte, names []string, restore bool) (edited []byte, whole []int) {
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
	if last == nil || !enlarges(last) || restore && !(outputs[0].Type == onnxmodel.Float32 && byRatio(m, last)) {
		return nil, nil
	}
	*last = onnxmodel.Node{Name: last.Name, Op: "Identity", Inputs: last.Inputs[:1], Outputs: last.Outputs}
	m.Outputs = []onnxmodel.Info{{Name: output, Type: outputs[0].Type}}
	m.Prune()
	if edited, err = m.Bytes(); err != nil {
		return nil, nil
	}
	for _, axis := range outputs[0].Axes() {
		n, err := strconv.Atoi(axis)
		if err != nil {
			n = -1
		}
		whole = append(whole, n)
	}
	return edited, whole
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

// byRatio reports whether the places that a node resizes at follow from both sizes, see [placed]: it is
// given the size, or factors that are whole numbers.
func byRatio(m *onnxmodel.Model, n *onnxmodel.Node) bool {
	if n.Inputs[2] == "" {
		return true
	}
	factors := m.Tensor(n.Inputs[2])
	if factors == nil || factors.Type != onnxmodel.Float32 {
		return false
	}
	return !slices.ContainsFunc(factors.Floats(), func(v float32) bool { return v != float32(int(v)) })
}
