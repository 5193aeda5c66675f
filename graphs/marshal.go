package graphs

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Opset is the version of ONNX's operator set that models use: the first with LayerNormalization,
// and one for which all providers have kernels.
const Opset = 17

// microsoft is the domain of ONNX Runtime's own operators (its version is 1).
const microsoft = "com.microsoft"

// maxModel is protobuf's limit for one message.
const maxModel = math.MaxInt32

// Marshal returns the graph as an ONNX ModelProto. Nodes and constants that no output needs are
// left out; inputs all stay.
// It fails when there are no outputs or the model exceeds protobuf's 2 GiB.
func (g *Graph) Marshal() ([]byte, error) { return g.MarshalAs(Opset) }

// MarshalAs is Marshal for another version of the operator set, from [Opset] to [LastOpset]. Of an
// older one the error names the operator that it lacks.
func (g *Graph) MarshalAs(opset int) ([]byte, error) { return g.marshal(opset, nil) }

// marshal encodes the nodes that the outputs need, or those that rewrite, if it is not nil, puts in
// their place.
func (g *Graph) marshal(opset int, rewrite func(nodes []*Node, live map[*Value]bool) []*Node) ([]byte, error) {
	if len(g.outputs) == 0 {
		return nil, fmt.Errorf("marshalling %q: the graph has no outputs", g.name)
	}
	nodes, live := g.needed(g.nodes)
	if err := checkOpset(opset, nodes); err != nil {
		return nil, fmt.Errorf("marshalling %q: %w", g.name, err)
	}
	if rewrite != nil {
		nodes, live = g.needed(rewrite(nodes, live))
	}
	g.adapt(opset, nodes, live)
	size := 0
	for _, c := range g.consts {
		if live[c] {
			size += 8 * c.shape.Size()
		}
	}
	if size > 2*maxModel {
		return nil, fmt.Errorf("marshalling %q: constants exceed 2 GiB", g.name)
	}
	graph, domains := g.graphProto(opset, nodes, live)
	m := make([]byte, 0, len(graph)+4096)
	m = appendInt(m, 1, irVersion(opset))
	m = appendString(m, 2, "t2sda")
	m = appendBytes(m, 7, graph)
	m = appendBytes(m, 8, appendInt(nil, 2, opset))
	for _, domain := range slices.Sorted(maps.Keys(domains)) {
		m = appendBytes(m, 8, appendInt(appendString(nil, 1, domain), 2, 1))
	}
	for _, k := range slices.Sorted(maps.Keys(g.meta)) {
		m = appendBytes(m, 14, appendString(appendString(nil, 1, k), 2, g.meta[k]))
	}
	if len(m) > maxModel {
		return nil, fmt.Errorf("marshalling %q: the model exceeds 2 GiB", g.name)
	}
	return m, nil
}

// live returns the values that the outputs depend on, the outputs included.
func (g *Graph) live() map[*Value]bool {
	_, live := g.needed(g.nodes)
	return live
}

// needed returns those of nodes, in topological order, that the outputs depend on, and the values that
// they do, the outputs included.
func (g *Graph) needed(nodes []*Node) (kept []*Node, live map[*Value]bool) {
	live = map[*Value]bool{}
	for _, o := range g.outputs {
		live[o.Value] = true
	}
	for _, n := range slices.Backward(nodes) {
		if !n.isLive(live) {
			continue
		}
		for _, v := range n.inputs {
			if v != nil {
				live[v] = true
			}
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	return kept, live
}

// graphProto encodes the GraphProto and returns the domains of its nodes besides ONNX's own.
func (g *Graph) graphProto(opset int, nodes []*Node, live map[*Value]bool) (p []byte, domains map[string]bool) {
	domains = map[string]bool{}
	for _, n := range nodes {
		p = appendBytes(p, 1, nodeProto(g.as(opset, n), live))
		if n.domain != "" {
			domains[n.domain] = true
		}
	}
	p = appendString(p, 2, g.name)
	for _, c := range g.consts {
		if live[c] {
			p = appendTensor(p, c)
		}
	}
	for _, v := range g.inputs {
		p = appendBytes(p, 11, valueInfo(v))
	}
	for _, o := range g.outputs {
		p = appendBytes(p, 12, valueInfo(o.Value))
	}
	for _, n := range nodes {
		if n.domain == NativeDomain { // ONNX Runtime cannot infer the shapes of its results
			for _, v := range n.outputs {
				p = appendBytes(p, 13, valueInfo(v))
			}
		}
	}
	return p, domains
}

func nodeProto(n *Node, live map[*Value]bool) (p []byte) {
	for _, v := range n.inputs {
		name := "" // an absent optional operand
		if v != nil {
			name = v.name
		}
		p = appendString(p, 1, name)
	}
	last := len(n.outputs)
	for last > n.optional && !live[n.outputs[last-1]] {
		last--
	}
	for i, v := range n.outputs[:last] {
		name := v.name
		if i >= n.optional && !live[v] {
			name = ""
		}
		p = appendString(p, 2, name)
	}
	p = appendString(p, 3, n.name)
	p = appendString(p, 4, n.op)
	for _, a := range n.attrs {
		p = appendBytes(p, 5, attrProto(a))
	}
	if n.domain != "" {
		p = appendString(p, 7, n.domain)
	}
	return p
}

// attrProto encodes an AttributeProto; the numbers are those of AttributeProto.AttributeType.
func attrProto(a Attr) []byte {
	p := appendString(nil, 1, a.Name)
	switch x := a.Value.(type) {
	case float32:
		p = protowire.AppendTag(p, 2, protowire.Fixed32Type)
		p = protowire.AppendFixed32(p, math.Float32bits(x))
		return appendInt(p, 20, 1)
	case int:
		return appendInt(appendInt(p, 3, x), 20, 2)
	case string:
		return appendInt(appendString(p, 4, x), 20, 3)
	case []int:
		for _, i := range x {
			p = appendInt(p, 8, i)
		}
		return appendInt(p, 20, 7)
	}
	panic(fmt.Sprintf("graphs: attribute %s has type %T", a.Name, a.Value))
}

// appendTensor appends a constant as an initialiser (field 5 of GraphProto) with raw little-endian
// data, without an intermediate copy: constants may be large.
func appendTensor(p []byte, c *Value) []byte {
	var head []byte
	for _, d := range c.shape {
		head = appendInt(head, 1, d)
	}
	head = appendInt(head, 2, int(c.dtype))
	head = appendString(head, 8, c.name)
	raw := 4*len(c.data.floats) + 8*len(c.data.ints)
	p = protowire.AppendTag(p, 5, protowire.BytesType)
	p = protowire.AppendVarint(p, uint64(len(head)+protowire.SizeTag(9)+protowire.SizeBytes(raw)))
	p = append(p, head...)
	p = protowire.AppendTag(p, 9, protowire.BytesType)
	p = protowire.AppendVarint(p, uint64(raw))
	p = slices.Grow(p, raw)
	for _, x := range c.data.floats {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(x))
	}
	for _, x := range c.data.ints {
		p = binary.LittleEndian.AppendUint64(p, uint64(x))
	}
	return p
}

// valueInfo encodes a ValueInfoProto.
func valueInfo(v *Value) []byte {
	var dims []byte
	for i, d := range v.shape {
		if v.free != nil && v.free[i] != "" {
			dims = appendBytes(dims, 1, appendString(nil, 2, v.free[i]))
			continue
		}
		dims = appendBytes(dims, 1, appendInt(nil, 1, d))
	}
	tensor := appendBytes(appendInt(nil, 1, int(v.dtype)), 2, dims)
	return appendBytes(appendString(nil, 1, v.name), 2, appendBytes(nil, 1, tensor))
}

func appendInt(p []byte, field protowire.Number, x int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(p, field, protowire.VarintType), uint64(x))
}

func appendString(p []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(p, field, protowire.BytesType), s)
}

func appendBytes(p []byte, field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(p, field, protowire.BytesType), b)
}
