package onnxmodel

import (
	"fmt"
	"slices"

	"t2sda/internal/protofield"

	"google.golang.org/protobuf/encoding/protowire"
)

// Node is one operator.
type Node struct {
	Name, Op, Domain string
	Inputs, Outputs  []string // names of values; empty: an operand that is left out
	attrs            []attr
	rest             []byte
}

// attr is an attribute, serialised.
type attr struct {
	name string
	raw  []byte
}

func parseNode(b []byte) (*Node, error) {
	n := &Node{}
	err := protofield.Each(b, func(f protofield.Field) error {
		switch f.Num {
		case nodeInput:
			n.Inputs = append(n.Inputs, string(f.Content))
		case nodeOutput:
			n.Outputs = append(n.Outputs, string(f.Content))
		case nodeName:
			n.Name = string(f.Content)
		case nodeOp:
			n.Op = string(f.Content)
		case nodeArea:
			n.Domain = string(f.Content)
		case nodeAttr:
			n.attrs = append(n.attrs, attr{protofield.Text(f.Content, attrName), f.Content})
		default:
			n.rest = append(n.rest, f.Whole...)
		}
		return nil
	})
	for _, a := range n.attrs {
		err2 := protofield.Each(a.raw, func(f protofield.Field) error {
			if f.Num == attrGraph || f.Num == attrGraphs {
				return fmt.Errorf("node %q (%s) holds a graph of its own: such models cannot be edited", n.Name, n.Op)
			}
			return nil
		})
		if err == nil {
			err = err2
		}
	}
	return n, err
}

func (n *Node) bytes() []byte {
	var b []byte
	for _, v := range n.Inputs {
		b = protofield.AppendBytes(b, nodeInput, []byte(v))
	}
	for _, v := range n.Outputs {
		b = protofield.AppendBytes(b, nodeOutput, []byte(v))
	}
	b = protofield.AppendBytes(b, nodeName, []byte(n.Name))
	b = protofield.AppendBytes(b, nodeOp, []byte(n.Op))
	for _, a := range n.attrs {
		b = protofield.AppendBytes(b, nodeAttr, a.raw)
	}
	if n.Domain != "" {
		b = protofield.AppendBytes(b, nodeArea, []byte(n.Domain))
	}
	return append(b, n.rest...)
}

func (n *Node) clone() *Node {
	c := *n
	c.Inputs, c.Outputs, c.attrs = slices.Clone(n.Inputs), slices.Clone(n.Outputs), slices.Clone(n.attrs)
	return &c
}

// Int returns a whole-numbered attribute, or def.
func (n *Node) Int(name string, def int) int {
	if a := n.attr(name); a != nil {
		return int(int64(protofield.Varint(a.raw, attrInt, uint64(def))))
	}
	return def
}

// Text returns an attribute that is a text, or def.
func (n *Node) Text(name, def string) string {
	if a := n.attr(name); a != nil {
		return protofield.Text(a.raw, attrText)
	}
	return def
}

// Ints returns an attribute that is a list of whole numbers, nil where there is none.
func (n *Node) Ints(name string) (list []int) {
	if a := n.attr(name); a != nil {
		_ = protofield.Each(a.raw, func(f protofield.Field) error {
			if f.Num == attrInts {
				return numbers(f, func(x uint64) { list = append(list, int(int64(x))) })
			}
			return nil
		})
	}
	return list
}

// SetInt sets a whole-numbered attribute.
func (n *Node) SetInt(name string, x int) {
	const typeInt = 2
	raw := protofield.AppendBytes(nil, attrName, []byte(name))
	raw = protofield.AppendVarint(raw, attrInt, uint64(x))
	raw = protofield.AppendVarint(raw, attrType, typeInt)
	if a := n.attr(name); a != nil {
		a.raw = raw
		return
	}
	n.attrs = append(n.attrs, attr{name, raw})
}

// Float returns an attribute that is a number, or def.
func (n *Node) Float(name string, def float32) float32 {
	a := n.attr(name)
	if a == nil {
		return def
	}
	_ = protofield.Each(a.raw, func(f protofield.Field) error {
		if f.Num == attrFloat && f.Type == protowire.Fixed32Type {
			bits, _ := protowire.ConsumeFixed32(f.Content)
			def = floatOf(bits)
		}
		return nil
	})
	return def
}

func (n *Node) attr(name string) *attr {
	i := slices.IndexFunc(n.attrs, func(a attr) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return &n.attrs[i]
}

// Rename replaces a value among the inputs.
func (n *Node) Rename(from, to string) {
	for i, v := range n.Inputs {
		if v == from {
			n.Inputs[i] = to
		}
	}
}
