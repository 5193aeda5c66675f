package graphs

import (
	"fmt"
	"slices"
	"strings"
)

// DType is the element type of a value; its numbers are those of ONNX's TensorProto.DataType.
type DType int

// The element types that graphs use.
const (
	Float32  DType = 1
	Uint8    DType = 2
	Int32    DType = 6
	Int64    DType = 7
	Bool     DType = 9
	Float16  DType = 10 // IEEE binary16, between the nodes of [Graph.Narrow]
	BFloat16 DType = 16 // the upper half of a float32, likewise
)

// String returns the ONNX spelling of the type.
func (d DType) String() string {
	switch d {
	case Float32:
		return "float32"
	case Uint8:
		return "uint8"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	case Float16:
		return "float16"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("dtype(%d)", int(d))
}

// Shape is a list of static dimensions; the empty shape is a scalar's.
type Shape []int

// Size returns the number of elements, 1 for a scalar.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Rank returns the number of dimensions.
func (s Shape) Rank() int { return len(s) }

// Equal reports whether both shapes have the same dimensions.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// Clone returns a copy that shares no memory with s.
func (s Shape) Clone() Shape { return append(Shape{}, s...) }

// String formats the shape as [2,3,4].
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// Value is one tensor of a graph. Values are created by the graph's builders only and are compared
// by identity.
type Value struct {
	g     *Graph
	id    int
	name  string
	shape Shape
	dtype DType
	param bool
	node  *Node // nil for inputs and constants
	index int   // which of node's outputs
	data  *constant
	free  []string // names of the axes without a fixed size, see Graph.Free; nil: all are fixed
}

// constant is the content of an initialiser: one of the two slices is set.
type constant struct {
	floats []float32
	ints   []int64
}

// Graph returns the graph that the value belongs to.
func (v *Value) Graph() *Graph { return v.g }

// Name returns the name that the value has in the marshalled model.
func (v *Value) Name() string { return v.name }

// Shape returns the value's shape, which the caller must not modify.
func (v *Value) Shape() Shape { return v.shape }

// Rank returns the number of dimensions.
func (v *Value) Rank() int { return len(v.shape) }

// DType returns the element type.
func (v *Value) DType() DType { return v.dtype }

// Node returns the node that computes the value, nil for inputs and constants.
func (v *Value) Node() *Node { return v.node }

// IsParam reports whether the value is a trainable parameter.
func (v *Value) IsParam() bool { return v.param }

// Constant returns the content of a constant: float32 or int64, the other slice nil. Both are nil
// for values that are no constants. The caller must not modify them.
func (v *Value) Constant() (floats []float32, ints []int64) {
	if v.data == nil {
		return nil, nil
	}
	return v.data.floats, v.data.ints
}

// Dim returns dimension i, counted from the end when negative. It panics when there is no such
// dimension.
func (v *Value) Dim(i int) int {
	j := i
	if j < 0 {
		j += len(v.shape)
	}
	if j < 0 || j >= len(v.shape) {
		panic(&Error{Op: "Dim", Node: v.name, Shapes: []Shape{v.shape}, Message: fmt.Sprintf("no dimension %d", i)})
	}
	return v.shape[j]
}

// String describes the value for error messages: name, type and shape.
func (v *Value) String() string { return fmt.Sprintf("%s %s%s", v.name, v.dtype, v.shape) }

// isScalarConst reports whether v is a constant float32 with the single element c and rank 0.
func (v *Value) isScalarConst(c float32) bool {
	return v.data != nil && len(v.shape) == 0 && len(v.data.floats) == 1 && v.data.floats[0] == c
}

// scalarConst returns the content of a rank-0 float32 constant.
func (v *Value) scalarConst() (float32, bool) {
	if v.data == nil || len(v.shape) != 0 || len(v.data.floats) != 1 {
		return 0, false
	}
	return v.data.floats[0], true
}
