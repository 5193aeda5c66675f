package engine

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// DType is an element type; its numbers are those of ONNX's TensorProto.DataType.
type DType int

// The element types that tensors can hold.
const (
	Float32 DType = 1
	Uint8   DType = 2
	Int32   DType = 6
	Int64   DType = 7
	Bool    DType = 9
)

// String returns the ONNX spelling of the type.
func (d DType) String() string {
	names := map[DType]string{
		Float32: "float32", Uint8: "uint8", 3: "int8", 4: "uint16", 5: "int16", Int32: "int32", Int64: "int64",
		8: "string", Bool: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
	}
	if name, ok := names[d]; ok {
		return name
	}
	return fmt.Sprintf("dtype(%d)", int(d))
}

// elementSize is the number of bytes of an element, 0 for types that tensors cannot hold.
func (d DType) elementSize() int {
	switch d {
	case Uint8, Bool:
		return 1
	case Float32, Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// Element is the set of Go types that tensors can hold.
type Element interface {
	float32 | int64 | int32 | uint8 | bool
}

// DTypeOf returns the element type that T is.
func DTypeOf[T Element]() DType {
	switch any(*new(T)).(type) {
	case float32:
		return Float32
	case int64:
		return Int64
	case int32:
		return Int32
	case uint8:
		return Uint8
	}
	return Bool
}

// Tensor is a shape over memory that its maker keeps and may read and write between
// runs: the host's, or that of an arena on a device. Tensors are immutable themselves
// and safe to share.
type Tensor struct {
	dims  []int
	data  storage
	arena memory // nil for a Go slice
}

// NewTensor makes a tensor over data without copying. The length of data must be
// the product of dims; no dims make a scalar over one element.
func NewTensor[T Element](data []T, dims ...int) (*Tensor, error) {
	n, err := size(dims)
	if err != nil {
		return nil, fmt.Errorf("tensor %v: %w", dims, err)
	}
	if n != len(data) {
		return nil, fmt.Errorf("tensor %v has %d elements, its slice has %d", dims, n, len(data))
	}
	return &Tensor{dims: slices.Clone(dims), data: values[T](data)}, nil
}

// crossing sums up [Tensor.crossing]. Tensors may be nil.
func crossing(tensors []*Tensor) (bytes int64) {
	for _, t := range tensors {
		if t != nil {
			bytes += t.crossing()
		}
	}
	return bytes
}

// Same reports whether two tensors are exactly the same memory, of whatever shape and element type.
func (t *Tensor) Same(o *Tensor) bool {
	return t.data.address() == o.data.address() && t.data.bytes() == o.data.bytes() && t.data.resident() == o.data.resident()
}

// Resident reports whether the tensor lies in a device's memory.
func (t *Tensor) Resident() bool { return t.data.resident() }

// Shape returns a copy of the tensor's dimensions, empty for a scalar.
func (t *Tensor) Shape() []int { return slices.Clone(t.dims) }

// DType returns the tensor's element type.
func (t *Tensor) DType() DType { return t.data.dtype() }

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.data.len() }

// Data returns the memory of a tensor, row-major, or an error when its elements
// are not of type T, or its arena has been closed or is not the host's to touch.
func Data[T Element](t *Tensor) ([]T, error) {
	if t.DType() != DTypeOf[T]() {
		return nil, fmt.Errorf("tensor %v holds %v, not %v", t.dims, t.DType(), DTypeOf[T]())
	}
	if t.arena != nil {
		if err := t.arena.hostMayTouch(); err != nil {
			return nil, fmt.Errorf("tensor %v: %w", t.dims, err)
		}
	}
	return t.data.(values[T]), nil // whatever the host may touch is a slice
}

// Floats returns the memory of a float32 tensor, row-major. It panics where
// [Data] has an error.
func (t *Tensor) Floats() []float32 {
	v, err := Data[float32](t)
	if err != nil {
		panic("engine: " + err.Error())
	}
	return v
}

// size returns the product of dims, 1 for none.
func size(dims []int) (int, error) {
	n := 1
	for i, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("dimension %d is negative", i)
		}
		if d > 0 && n > int(^uint(0)>>1)/d {
			return 0, fmt.Errorf("the number of elements overflows")
		}
		n *= d
	}
	return n, nil
}

// storage hides a tensor's element type.
type storage interface {
	dtype() DType
	len() int
	bytes() int
	address() uintptr    // of the first element, 0 if there is none
	pin(*runtime.Pinner) // keeps the collector from moving the memory
	// value makes ONNX Runtime's view of the memory. A scalar's value of the host's is
	// a copy, because onnxruntime_go has no scalar over foreign memory.
	value(dims []int) (ort.Value, error)
	// load copies a scalar's value back into the memory.
	load(scalar ort.Value)
	resident() bool // whether the memory is a device's
}

// copied reports whether the tensor is a scalar whose value each run copies.
func (t *Tensor) copied() bool { return len(t.dims) == 0 && !t.data.resident() }

// crossing is the number of bytes that a run on a device moves between it and the
// host for the tensor.
func (t *Tensor) crossing() int64 {
	if t.data.resident() {
		return 0
	}
	return int64(t.data.bytes())
}

// values is the storage of elements of type T.
type values[T Element] []T

func (v values[T]) dtype() DType { return DTypeOf[T]() }

func (v values[T]) len() int { return len(v) }

func (v values[T]) bytes() int {
	var e T
	return len(v) * int(unsafe.Sizeof(e))
}

func (v values[T]) address() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(v))) }

func (v values[T]) pin(p *runtime.Pinner) {
	if len(v) > 0 {
		p.Pin(&v[0])
	}
}

func (values[T]) resident() bool { return false }

func (v values[T]) value(dims []int) (ort.Value, error) {
	if len(dims) == 0 {
		return ort.NewScalar(v[0])
	}
	shape := make(ort.Shape, len(dims))
	for i, d := range dims {
		shape[i] = int64(d)
	}
	return ort.NewTensor(shape, []T(v))
}

func (v values[T]) load(scalar ort.Value) {
	v[0] = scalar.(*ort.Scalar[T]).GetData()
}

// NewTensorOf allocates a tensor of the element type, zeroed. It returns an error
// for types that tensors cannot hold.
func NewTensorOf(t DType, dims []int) (*Tensor, error) {
	n, err := size(dims)
	if err != nil {
		return nil, err
	}
	switch t {
	case Float32:
		return NewTensor(make([]float32, n), dims...)
	case Int64:
		return NewTensor(make([]int64, n), dims...)
	case Int32:
		return NewTensor(make([]int32, n), dims...)
	case Uint8:
		return NewTensor(make([]uint8, n), dims...)
	case Bool:
		return NewTensor(make([]bool, n), dims...)
	}
	return nil, unsupported(t)
}

// tensorFrom takes over the memory of a value that onnxruntime_go allocated.
func tensorFrom(v ort.Value) (*Tensor, error) {
	shape := v.GetShape()
	dims := make([]int, len(shape))
	for i, d := range shape {
		dims[i] = int(d)
	}
	switch v := v.(type) {
	case *ort.Tensor[float32]:
		return NewTensor(v.GetData(), dims...)
	case *ort.Tensor[int64]:
		return NewTensor(v.GetData(), dims...)
	case *ort.Tensor[int32]:
		return NewTensor(v.GetData(), dims...)
	case *ort.Tensor[uint8]:
		return NewTensor(v.GetData(), dims...)
	case *ort.Tensor[bool]:
		return NewTensor(v.GetData(), dims...)
	}
	return nil, unsupported(DType(v.DataType()))
}

func unsupported(t DType) error {
	return fmt.Errorf("element type %v is not supported (float32, int64, int32, uint8, bool are)", t)
}
