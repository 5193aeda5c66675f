package onnxmodel

import (
	"fmt"
	"slices"

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
	err := fields(b, func(f field) error {
		switch f.num {
		case nodeInput:
			n.Inputs = append(n.Inputs, string(f.content))
		case nodeOutput:
			n.Outputs = append(n.Outputs, string(f.content))
		case nodeName:
			n.Name = string(f.content)
		case nodeOp:
			n.Op = string(f.content)
		case nodeArea:
			n.Domain = string(f.content)
		case nodeAttr:
			n.attrs = append(n.attrs, attr{text(f.content, attrName), f.content})
		default:
			n.rest = append(n.rest, f.whole...)
		}
		return nil
	})
	for _, a := range n.attrs {
		err2 := fields(a.raw, func(f field) error {
			if f.num == attrGraph || f.num == attrGraphs {
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
		b = appendBytes(b, nodeInput, []byte(v))
	}
	for _, v := range n.Outputs {
		b = appendBytes(b, nodeOutput, []byte(v))
	}
	b = appendBytes(b, nodeName, []byte(n.Name))
	b = appendBytes(b, nodeOp, []byte(n.Op))
	for _, a := range n.attrs {
		b = appendBytes(b, nodeAttr, a.raw)
	}
	if n.Domain != "" {
		b = appendBytes(b, nodeArea, []byte(n.Domain))
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
		return int(int64(varint(a.raw, attrInt, uint64(def))))
	}
	return def
}

// Ints returns an attribute that is a list of whole numbers, nil where there is none.
func (n *Node) Ints(name string) (list []int) {
	if a := n.attr(name); a != nil {
		_ = fields(a.raw, func(f field) error {
			if f.num == attrInts {
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
	raw := appendInt(appendInt(appendBytes(nil, attrName, []byte(name)), attrInt, x), attrType, typeInt)
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
	_ = fields(a.raw, func(f field) error {
		if f.num == attrFloat && f.typ == protowire.Fixed32Type {
			bits, _ := protowire.ConsumeFixed32(f.content)
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
