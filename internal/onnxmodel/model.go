package onnxmodel

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"t2sda/internal/protofield"
)

// Fields of ModelProto and GraphProto.
const (
	modelGraph, modelMeta                                       = 7, 14
	graphNode, graphName, graphInit, graphInput, graphOutput    = 1, 2, 5, 11, 12
	graphInfo                                                   = 13
	entryKey, entryValue                                        = 1, 2
	infoName, infoType, infoTensor, infoElem, infoShape         = 1, 2, 1, 1, 2
	shapeDim, dimValue, dimParam                                = 1, 1, 2
	nodeInput, nodeOutput, nodeName, nodeOp, nodeAttr, nodeArea = 1, 2, 3, 4, 5, 7
	attrName, attrFloat, attrInt, attrText, attrInts, attrType  = 1, 2, 3, 4, 8, 20
	attrGraph, attrGraphs                                       = 6, 11
)

// Model is a model with one graph.
type Model struct {
	Nodes    []*Node // in an order in which they can be computed
	Tensors  []*Tensor
	Inputs   []Info
	Outputs  []Info
	Meta     []Entry
	name     string
	rest     []byte // fields of the model that are kept as they are
	restOf   []byte // likewise of the graph
	tensorOf map[string]*Tensor
}

// Entry is a pair of a model's metadata.
type Entry struct{ Key, Value string }

// Info is an input or output of the graph.
type Info struct {
	Name   string
	Type   int    // element type
	raw    []byte // the ValueInfoProto; nil: of any shape, or none
	scalar bool
}

// Parse reads a serialised ModelProto.
func Parse(model []byte) (*Model, error) {
	m := &Model{tensorOf: map[string]*Tensor{}}
	seen := false
	err := protofield.Each(model, func(f protofield.Field) error {
		switch f.Num {
		case modelGraph:
			seen = true
			return m.parseGraph(f.Content)
		case modelMeta:
			m.Meta = append(m.Meta, Entry{protofield.Text(f.Content, entryKey), protofield.Text(f.Content, entryValue)})
			return nil
		}
		m.rest = append(m.rest, f.Whole...)
		return nil
	})
	if err == nil && !seen {
		err = errors.New("there is no graph in it")
	}
	if err != nil {
		return nil, fmt.Errorf("not an ONNX model, or a truncated one: %w", err)
	}
	return m, nil
}

func (m *Model) parseGraph(graph []byte) error {
	return protofield.Each(graph, func(f protofield.Field) error {
		switch f.Num {
		case graphNode:
			n, err := parseNode(f.Content)
			m.Nodes = append(m.Nodes, n)
			return err
		case graphInit:
			t, err := parseTensor(f.Content)
			if err == nil {
				m.AddTensor(t)
			}
			return err
		case graphName:
			m.name = string(f.Content)
		case graphInput:
			m.Inputs = append(m.Inputs, parseInfo(f.Content))
		case graphOutput:
			m.Outputs = append(m.Outputs, parseInfo(f.Content))
		case graphInfo: // of values that may change
		default:
			m.restOf = append(m.restOf, f.Whole...)
		}
		return nil
	})
}

// Bytes writes the model; equal models give equal bytes.
func (m *Model) Bytes() ([]byte, error) {
	// Weights are copied once, to where they stay: they may be gigabytes.
	var before, after, meta []byte // what stands before the tensors in the graph, after them, and after it
	for _, n := range m.Nodes {
		before = protofield.AppendBytes(before, graphNode, n.bytes())
	}
	before = protofield.AppendBytes(before, graphName, []byte(m.name))
	for _, i := range m.Inputs {
		after = protofield.AppendBytes(after, graphInput, i.bytes())
	}
	for _, o := range m.Outputs {
		after = protofield.AppendBytes(after, graphOutput, o.bytes())
	}
	after = append(after, m.restOf...)
	for _, e := range m.Meta {
		pair := protofield.AppendBytes(nil, entryKey, []byte(e.Key))
		meta = protofield.AppendBytes(meta, modelMeta, protofield.AppendBytes(pair, entryValue, []byte(e.Value)))
	}
	graph := len(before) + len(after)
	heads := make([][]byte, len(m.Tensors))
	for i, t := range m.Tensors {
		heads[i] = t.head()
		graph += protowire.SizeTag(graphInit) + protowire.SizeBytes(len(heads[i])+len(t.Raw))
	}
	size := len(m.rest) + protowire.SizeTag(modelGraph) + protowire.SizeBytes(graph) + len(meta)
	if size > math.MaxInt32 {
		return nil, errors.New("the model exceeds the 2 GiB of one ONNX file")
	}
	out := append(make([]byte, 0, size), m.rest...)
	out = protowire.AppendTag(out, modelGraph, protowire.BytesType)
	out = append(protowire.AppendVarint(out, uint64(graph)), before...)
	for i, t := range m.Tensors {
		out = protowire.AppendTag(out, graphInit, protowire.BytesType)
		out = protowire.AppendVarint(out, uint64(len(heads[i])+len(t.Raw)))
		out = append(append(out, heads[i]...), t.Raw...)
	}
	return append(append(out, after...), meta...), nil
}

// Clone copies the model so far that nodes and lists may be edited; tensors are shared.
func (m *Model) Clone() *Model {
	c := *m
	c.Nodes = make([]*Node, len(m.Nodes))
	for i, n := range m.Nodes {
		c.Nodes[i] = n.clone()
	}
	c.Tensors, c.Inputs, c.Outputs, c.Meta = slices.Clone(m.Tensors), slices.Clone(m.Inputs), slices.Clone(m.Outputs), slices.Clone(m.Meta)
	c.tensorOf = make(map[string]*Tensor, len(m.tensorOf))
	for name, t := range m.tensorOf {
		c.tensorOf[name] = t
	}
	return &c
}

// Tensor returns the constant of that name, nil where there is none.
func (m *Model) Tensor(name string) *Tensor { return m.tensorOf[name] }

// AddTensor adds a constant, or replaces the one of its name.
func (m *Model) AddTensor(t *Tensor) {
	if old := m.tensorOf[t.Name]; old != nil {
		m.Tensors[slices.Index(m.Tensors, old)] = t
	} else {
		m.Tensors = append(m.Tensors, t)
	}
	m.tensorOf[t.Name] = t
}

// Producers returns the node that makes each value.
func (m *Model) Producers() map[string]*Node {
	by := map[string]*Node{}
	for _, n := range m.Nodes {
		for _, v := range n.Outputs {
			if v != "" {
				by[v] = n
			}
		}
	}
	return by
}

// Consumers returns the nodes that read each value, in order, once for each operand.
func (m *Model) Consumers() map[string][]*Node {
	by := map[string][]*Node{}
	for _, n := range m.Nodes {
		for _, v := range n.Inputs {
			if v != "" {
				by[v] = append(by[v], n)
			}
		}
	}
	return by
}

// IsOutput reports whether the graph gives the value.
func (m *Model) IsOutput(value string) bool {
	return slices.ContainsFunc(m.Outputs, func(o Info) bool { return o.Name == value })
}

// Expose makes an inner value an output, of any shape.
func (m *Model) Expose(value string, elem int) {
	if !m.IsOutput(value) {
		m.Outputs = append(m.Outputs, Info{Name: value, Type: elem})
	}
}

// ExposeScalar makes an inner value without dimensions an output.
func (m *Model) ExposeScalar(value string, elem int) {
	m.Outputs = append(m.Outputs, Info{Name: value, Type: elem, scalar: true})
}

// Prune removes nodes and constants that no output needs.
func (m *Model) Prune() {
	live := map[string]bool{}
	for _, o := range m.Outputs {
		live[o.Name] = true
	}
	kept := make([]*Node, 0, len(m.Nodes))
	for _, n := range slices.Backward(m.Nodes) {
		if !slices.ContainsFunc(n.Outputs, func(v string) bool { return live[v] }) {
			continue
		}
		kept = append(kept, n)
		for _, v := range n.Inputs {
			live[v] = true
		}
	}
	slices.Reverse(kept)
	m.Nodes = kept
	m.Tensors = slices.DeleteFunc(slices.Clone(m.Tensors), func(t *Tensor) bool { return !live[t.Name] })
	for name := range m.tensorOf {
		if !live[name] {
			delete(m.tensorOf, name)
		}
	}
}

// SetMeta sets an entry of the metadata; a new one becomes the last.
func (m *Model) SetMeta(key, value string) {
	if i := slices.IndexFunc(m.Meta, func(e Entry) bool { return e.Key == key }); i >= 0 {
		m.Meta[i].Value = value
		return
	}
	m.Meta = append(m.Meta, Entry{key, value})
}

func parseInfo(b []byte) Info {
	i := Info{Name: protofield.Text(b, infoName), raw: b}
	_ = protofield.Each(b, func(f protofield.Field) error {
		if f.Num != infoType {
			return nil
		}
		return protofield.Each(f.Content, func(f protofield.Field) error {
			if f.Num == infoTensor {
				i.Type = int(protofield.Varint(f.Content, infoElem, 0))
			}
			return nil
		})
	})
	return i
}

func (i Info) bytes() []byte {
	if i.raw != nil {
		return i.raw
	}
	tensor := protofield.AppendVarint(nil, infoElem, uint64(i.Type))
	if i.scalar {
		tensor = protofield.AppendBytes(tensor, infoShape, nil)
	}
	return protofield.AppendBytes(protofield.AppendBytes(nil, infoName, []byte(i.Name)), infoType, protofield.AppendBytes(nil, infoTensor, tensor))
}

// Axes returns the dimensions, each a number or the name of a free one; "" where it has neither.
// Nil where the model states no shape.
func (i Info) Axes() (axes []string) {
	shape := i.raw
	for _, num := range []protowire.Number{infoType, infoTensor, infoShape} {
		shape = []byte(protofield.Text(shape, num))
	}
	_ = protofield.Each(shape, func(f protofield.Field) error {
		if f.Num != shapeDim {
			return nil
		}
		axis := protofield.Text(f.Content, dimParam)
		if n := int64(protofield.Varint(f.Content, dimValue, 0)); n > 0 {
			axis = strconv.FormatInt(n, 10)
		}
		axes = append(axes, axis)
		return nil
	})
	return axes
}
