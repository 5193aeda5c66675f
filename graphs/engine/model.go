package engine

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"t2sda/internal/protofield"
)

// IOInfo describes one input or output of a session.
type IOInfo struct {
	Name  string
	DType DType
	Dims  []int // -1 for a free dimension
	// Unranked is set when the model does not state the shape at all; Dims is nil.
	Unranked bool
}

// signature reads the inputs (less those with an initialiser, which need no
// feeding) and outputs of a serialised ModelProto, in the model's order.
// onnxruntime_go tells them only by loading the model a second time.
func signature(model []byte) (inputs, outputs []IOInfo, err error) {
	const (
		graphInitializer = 5
		graphSparse      = 15
	)
	var graph []byte
	err = fields(model, func(num protowire.Number, b []byte) error {
		if num == modelGraph {
			graph = b
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if graph == nil {
		return nil, nil, errors.New("there is no graph in it")
	}
	initialised := map[string]bool{}
	err = fields(graph, func(num protowire.Number, b []byte) error {
		var info IOInfo
		var err error
		switch num {
		case graphInitializer:
			initialised[tensorName(b)] = true
		case graphSparse:
			initialised[sparseName(b)] = true
		case graphInput:
			info, err = valueInfo(b)
			inputs = append(inputs, info)
		case graphOutput:
			info, err = valueInfo(b)
			outputs = append(outputs, info)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	fed := inputs[:0]
	for _, in := range inputs {
		if !initialised[in.Name] {
			fed = append(fed, in)
		}
	}
	return fed, outputs, nil
}

// properties reads the metadata of a serialised ModelProto, as far as they can be read.
func properties(model []byte) map[string]string {
	const modelMetadata, entryKey, entryValue = 14, 1, 2
	all := map[string]string{}
	_ = fields(model, func(num protowire.Number, b []byte) error {
		if num == modelMetadata {
			all[protofield.Text(b, entryKey)] = protofield.Text(b, entryValue)
		}
		return nil
	})
	return all
}

// tensorName returns the name of a TensorProto.
func tensorName(b []byte) string { return protofield.Text(b, 8) }

// sparseName returns the name of a SparseTensorProto: that of its values.
func sparseName(b []byte) (name string) {
	_ = fields(b, func(num protowire.Number, b []byte) error {
		if num == 1 {
			name = tensorName(b)
		}
		return nil
	})
	return name
}

// valueInfo decodes a ValueInfoProto.
func valueInfo(b []byte) (IOInfo, error) {
	info := IOInfo{Unranked: true}
	isTensor := false
	err := fields(b, func(num protowire.Number, b []byte) error {
		switch num {
		case infoName:
			info.Name = string(b)
		case infoType:
			return fields(b, func(num protowire.Number, b []byte) error {
				if num != typeTensor {
					return nil
				}
				isTensor = true
				return tensorType(b, &info)
			})
		}
		return nil
	})
	if err == nil && !isTensor {
		err = fmt.Errorf("%q is not a tensor", info.Name)
	}
	return info, err
}

// tensorType decodes a TypeProto.Tensor into element type and dimensions.
func tensorType(b []byte, info *IOInfo) error {
	const (
		shapeDim = 1
		dimValue = 1
	)
	info.DType = DType(protofield.Varint(b, tensorElem, 0))
	return fields(b, func(num protowire.Number, b []byte) error {
		if num != tensorDims {
			return nil
		}
		info.Unranked, info.Dims = false, []int{}
		return fields(b, func(num protowire.Number, b []byte) error {
			if num == shapeDim {
				info.Dims = append(info.Dims, int(int64(protofield.Varint(b, dimValue, ^uint64(0)))))
			}
			return nil
		})
	})
}

// fields calls f with the content of every length-delimited field of a message,
// in order, and checks that the message is well formed to its end.
func fields(b []byte, f func(num protowire.Number, content []byte) error) error {
	return protofield.Each(b, func(one protofield.Field) error {
		if one.Type != protowire.BytesType {
			return nil
		}
		return f(one.Num, one.Content)
	})
}
