package quantize

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"t2sda/graphs/engine"
	"t2sda/internal/onnxmodel"
)

// inFull lists operators that are computed in float32 whatever is around them: sums over many
// elements, powers of small numbers, and the interpolation and comparison that decide labels.
var inFull = map[string]bool{
	"Resize": true, "ArgMax": true, "Softmax": true, "LogSoftmax": true, "LayerNormalization": true,
	"InstanceNormalization": true, "GroupNormalization": true, "BatchNormalization": true,
	"ReduceMean": true, "ReduceSum": true, "ReduceSumSquare": true, "ReduceL2": true,
	"Exp": true, "Log": true, "Pow": true, "Sqrt": true, "Reciprocal": true,
	"GlobalAveragePool": true, "Range": true,
}

// Half is a float16 model.
type Half struct {
	Model []byte
	Kept  []Kept // nodes that were kept in float32 because float16 does not hold their numbers
}

// Kept is a node that was kept in float32.
type Kept struct {
	Node string `json:"node"`
	Why  string `json:"why"`
}

// Float16 returns a model whose weights and activations are float16; inputs and outputs stay as
// they are. What comes before the first product, inputs' normalisation, is left in float32, as are
// the operators whose accuracy asks for it. So are nodes with constants beyond 65504 and those next
// to activations of which samples come within a factor of two of that, and then, while enough says
// no to the model, those layers that add most noise, with what feeds them.
func Float16(ctx context.Context, e *engine.Engine, model []byte, s Samples, enough func(ctx context.Context, model []byte) (bool, error)) (*Half, error) {
	h, err := float16Of(ctx, e, model, s, enough)
	if err != nil {
		return nil, fmt.Errorf("float16: %w", err)
	}
	return h, nil
}

func float16Of(ctx context.Context, e *engine.Engine, model []byte, s Samples, enough func(context.Context, []byte) (bool, error)) (*Half, error) {
	m, err := parse(model)
	if err != nil {
		return nil, err
	}
	if s.Len == 0 {
		return nil, errors.New("there are no images to find activations on that it cannot hold")
	}
	wide, err := unheld(ctx, e, m, s)
	if err != nil {
		return nil, err
	}
	noisy := map[string]string{}
	for {
		h := &halving{m: m.Clone(), float: floats(m), wide: wide, noisy: noisy}
		h.rewrite()
		out, err := h.m.Bytes()
		if err != nil {
			return nil, err
		}
		if ok, err := enough(ctx, out); err != nil || ok {
			return &Half{Model: out, Kept: h.kept}, err
		}
		if err := moreNoisy(ctx, e, m, h.m, s, noisy); err != nil {
			return nil, err
		}
	}
}

// moreNoisy adds the layers of half that add most noise to those in float32, as many as there are.
func moreNoisy(ctx context.Context, e *engine.Engine, m, half *onnxmodel.Model, s Samples, noisy map[string]string) error {
	var left []*onnxmodel.Node
	constant := constants(m)
	for _, n := range m.Nodes {
		if isProduct(n) && !constant[n.Outputs[0]] && noisy[n.Name] == "" {
			left = append(left, n)
		}
	}
	if len(left) == 0 {
		return errors.New("even with all layers in float32 the model's labels are too far from the float32 model's")
	}
	worst, err := ranked(ctx, e, m, half, left, func(n *onnxmodel.Node) string { return n.Outputs[0] }, s)
	if err != nil {
		return fmt.Errorf("comparing layers: %w", err)
	}
	for _, l := range worst[:min(max(1, len(noisy)), len(worst))] {
		noisy[l.Node] = fmt.Sprintf("SQNR %.1f dB", l.SQNR)
	}
	return nil
}

// halving is one call of [Float16].
type halving struct {
	m     *onnxmodel.Model
	float map[string]bool   // values that were float32 in the model
	wide  map[string]string // values that float16 does not hold, and why
	noisy map[string]string // layers that stay in float32 because of what they add, and how much
	kept  []Kept

	halves map[string]bool   // values of that name that are float16 now
	cast   map[string]string // value + target → its cast
	nodes  []*onnxmodel.Node // the new ones
}

// unheld finds values that float16 does not hold, and says why.
func unheld(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, s Samples) (map[string]string, error) {
	wide, float := map[string]string{}, floats(m)
	for _, t := range m.Tensors {
		if t.Type == onnxmodel.Float32 && !fitsHalf(t) {
			wide[t.Name] = fmt.Sprintf("constant %s has elements beyond %d", t.Name, maxHalf)
		}
	}
	var values []string
	for _, n := range m.Nodes {
		for _, v := range n.Outputs {
			if v != "" && float[v] {
				values = append(values, v)
			}
		}
	}
	ranges, err := minMax(ctx, e, m, values, s)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if r := ranges[v]; !(max(math.Abs(r.Min), math.Abs(r.Max)) <= maxHalf/2) {
			wide[v] = fmt.Sprintf("%s reaches from %.4g to %.4g", v, r.Min, r.Max)
		}
	}
	return wide, nil
}

// rewrite makes the nodes anew, in order; casts come where a node reads what is not of its type.
func (h *halving) rewrite() {
	h.halves, h.cast = map[string]bool{}, map[string]string{}
	begun, feeding := h.begun(), h.feeding()
	for _, n := range h.m.Nodes {
		why := cmp.Or(h.why(n), h.noisy[n.Name], feeding[n])
		full := why != "" || inFull[n.Op] || !begun[n]
		if why != "" {
			h.kept = append(h.kept, Kept{Node: n.Name, Why: why})
		}
		for i, v := range n.Inputs {
			if v == "" || !h.float[v] || n.Op == "Cast" {
				continue
			}
			n.Inputs[i] = h.as(v, full || n.Op == "Resize" && i > 0)
		}
		h.nodes = append(h.nodes, n)
		if full || n.Op == "Cast" {
			continue
		}
		for i, v := range n.Outputs {
			if v == "" || !h.float[v] {
				continue
			}
			h.halves[v] = true
			if !h.m.IsOutput(v) {
				continue
			}
			n.Outputs[i] = v + "/float16"
			h.cast[v+"/half"] = n.Outputs[i]
			h.nodes = append(h.nodes, castTo(onnxmodel.Float32, n.Outputs[i], v))
			h.halves[v] = false
		}
	}
	h.m.Nodes = h.nodes
	h.m.SetMeta("precision", "float16")
	h.m.Prune()
}

// begun returns the nodes that depend on a product, and the products: all but what prepares the
// input.
func (h *halving) begun() map[*onnxmodel.Node]bool {
	by, begun := h.m.Producers(), map[*onnxmodel.Node]bool{}
	for _, n := range h.m.Nodes {
		begun[n] = isProduct(n) || slices.ContainsFunc(n.Inputs, func(v string) bool { return by[v] != nil && begun[by[v]] })
	}
	return begun
}

// feeding returns the nodes that make what noisy layers read: sums and products, and what only clamps
// or rearranges their outputs in between.
func (h *halving) feeding() map[*onnxmodel.Node]string {
	by, feeding := h.m.Producers(), map[*onnxmodel.Node]string{}
	for _, n := range slices.Backward(h.m.Nodes) {
		why := feeding[n]
		if h.noisy[n.Name] != "" {
			why = "feeds " + n.Name
		} else if !isClamp(n) && !sameGrid[n.Op] {
			continue
		}
		for _, v := range n.Inputs {
			if from := by[v]; from != nil && why != "" {
				feeding[from] = why
			}
		}
	}
	return feeding
}

// why says which number of a node float16 does not hold; empty: it holds all.
func (h *halving) why(n *onnxmodel.Node) string {
	for _, v := range slices.Concat(n.Inputs, n.Outputs) {
		if w := h.wide[v]; w != "" && h.float[v] {
			return w
		}
	}
	return ""
}

// as returns the name of a value in float32, or else in float16.
func (h *halving) as(v string, full bool) string {
	if full == !h.halves[v] {
		return v
	}
	key, name, to := v+"/half", v+"/float16", onnxmodel.Float16
	if full {
		key, name, to = v+"/full", v+"/float32", onnxmodel.Float32
	}
	if have := h.cast[key]; have != "" {
		return have
	}
	h.cast[key] = name
	if t := h.m.Tensor(v); t != nil {
		h.m.AddTensor(halved(t, name))
		return name
	}
	h.nodes = append(h.nodes, castTo(to, v, name))
	return name
}

func castTo(elem int, from, to string) *onnxmodel.Node {
	n := &onnxmodel.Node{Name: to + "/Cast", Op: "Cast", Inputs: []string{from}, Outputs: []string{to}}
	n.SetInt("to", elem)
	return n
}

// isProduct reports whether a node is a layer with weights.
func isProduct(n *onnxmodel.Node) bool {
	switch n.Op {
	case "Conv", "ConvTranspose", "MatMul", "Gemm":
		return true
	}
	return false
}
