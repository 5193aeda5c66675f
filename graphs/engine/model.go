package engine

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
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
			all[stringField(b, entryKey)] = stringField(b, entryValue)
		}
		return nil
	})
	return all
}

// tensorName returns the name of a TensorProto.
func tensorName(b []byte) string { return stringField(b, 8) }

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
	info.DType = DType(varintField(b, tensorElem, 0))
	return fields(b, func(num protowire.Number, b []byte) error {
		if num != tensorDims {
			return nil
		}
		info.Unranked, info.Dims = false, []int{}
		return fields(b, func(num protowire.Number, b []byte) error {
			if num == shapeDim {
				info.Dims = append(info.Dims, int(int64(varintField(b, dimValue, ^uint64(0)))))
			}
			return nil
		})
	})
}

// fields calls f with the content of every length-delimited field of a message,
// in order, and checks that the message is well formed to its end.
func fields(b []byte, f func(num protowire.Number, content []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		content, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := f(num, content); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// varintField returns the last varint field num of a message, or def.
func varintField(b []byte, want protowire.Number, def uint64) uint64 {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return def
		}
		b = b[n:]
		if num == want && typ == protowire.VarintType {
			if v, m := protowire.ConsumeVarint(b); m >= 0 {
				def = v
			}
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return def
		}
		b = b[n:]
	}
	return def
}

func stringField(b []byte, want protowire.Number) (s string) {
	_ = fields(b, func(num protowire.Number, b []byte) error {
		if num == want {
			s = string(b)
		}
		return nil
	})
	return s
}
