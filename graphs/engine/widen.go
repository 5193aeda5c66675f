package engine

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// wider is the element type that stands for one that [Tensor] cannot hold, and
// holds every value of it; uint64's largest ones aside.
var wider = map[DType]DType{
	10: Float32, 16: Float32, 11: Float32, // float16, bfloat16, float64
	3: Int32, 4: Int32, 5: Int32, // int8, uint16, int16
	12: Int64, 13: Int64, // uint32, uint64
}

// Numbers of fields of ONNX's protobuf messages.
const (
	modelGraph  = 7
	graphNode   = 1
	graphInput  = 11
	graphOutput = 12
	infoName    = 1
	infoType    = 2
	typeTensor  = 1
	tensorElem  = 1
	tensorDims  = 2
)

// widened returns a model whose inputs and outputs hold types that tensors can
// hold: nodes that cast them stand before and behind the others. onnxruntime_go
// has no tensors of float16, and of those that a run allocates it keeps half. The
// infos get the new types, and names that the model's own nodes do not know; ok is
// false, and nothing changed, where every type is one of ours.
//
// fed are the inputs without initialisers; all inputs and outputs of the model
// that bear one of their names are rewritten.
func widened(model []byte, fed, outputs []IOInfo) (edited []byte, names map[string]string, ok bool, err error) {
	names = map[string]string{} // the model's own name → that of the cast value
	types := map[string]DType{}
	var before, after []byte
	for _, info := range fed {
		if to := wider[info.DType]; to != 0 {
			names[info.Name], types[info.Name] = info.Name+castSuffix, to
			before = appendNode(before, castNode(info.Name+castSuffix, info.Name, info.DType))
		}
	}
	for _, info := range outputs {
		if to := wider[info.DType]; to != 0 {
			names[info.Name], types[info.Name] = info.Name+castSuffix, to
			after = appendNode(after, castNode(info.Name, info.Name+castSuffix, to))
		}
	}
	if len(names) == 0 {
		return model, names, false, nil
	}
	err = fields(model, func(num protowire.Number, b []byte) error {
		if num == modelGraph {
			if b, err = widenedGraph(b, types, before, after); err != nil {
				return err
			}
		}
		edited = appendField(edited, num, b)
		return nil
	})
	if err != nil {
		return nil, nil, false, err
	}
	// Fields that are no messages or texts: ir_version and model_version.
	return append(scalars(model), edited...), names, true, nil
}

// castSuffix ends the names of cast values.
const castSuffix = "/t2sda.cast"

// widenedGraph rewrites a GraphProto. All its fields are length-delimited.
func widenedGraph(graph []byte, types map[string]DType, before, after []byte) (edited []byte, err error) {
	edited = append(edited, before...)
	err = fields(graph, func(num protowire.Number, b []byte) error {
		if num == graphInput || num == graphOutput {
			if to := types[stringField(b, infoName)]; to != 0 {
				if b, err = widenedInfo(b, to); err != nil {
					return err
				}
			}
		}
		edited = appendField(edited, num, b)
		return nil
	})
	return append(edited, after...), err
}

// widenedInfo is a ValueInfoProto of another name and type, and the same shape.
func widenedInfo(info []byte, to DType) ([]byte, error) {
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, tensorElem, protowire.VarintType), uint64(to))
	err := fields(info, func(num protowire.Number, b []byte) error {
		if num != infoType {
			return nil
		}
		return fields(b, func(num protowire.Number, b []byte) error {
			if num != typeTensor {
				return nil
			}
			return fields(b, func(num protowire.Number, b []byte) error {
				if num == tensorDims {
					tensor = appendField(tensor, tensorDims, b)
				}
				return nil
			})
		})
	})
	named := appendField(nil, infoName, []byte(stringField(info, infoName)+castSuffix))
	return appendField(named, infoType, appendField(nil, typeTensor, tensor)), err
}

// castNode is a NodeProto: to = Cast(from).
func castNode(from, to string, t DType) []byte {
	const (
		nodeInput, nodeOutput, nodeName, nodeOp, nodeAttribute = 1, 2, 3, 4, 5
		attributeName, attributeInt, attributeType, typeInt    = 1, 3, 20, 2
	)
	a := appendField(nil, attributeName, []byte("to"))
	a = protowire.AppendVarint(protowire.AppendTag(a, attributeInt, protowire.VarintType), uint64(t))
	a = protowire.AppendVarint(protowire.AppendTag(a, attributeType, protowire.VarintType), typeInt)
	n := appendField(nil, nodeInput, []byte(from))
	n = appendField(n, nodeOutput, []byte(to))
	n = appendField(n, nodeName, []byte(from+castSuffix))
	n = appendField(n, nodeOp, []byte("Cast"))
	return appendField(n, nodeAttribute, a)
}

func appendNode(b, node []byte) []byte { return appendField(b, graphNode, node) }

func appendField(b []byte, num protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), content)
}

// scalars returns the fields of a message that are not length-delimited, as they
// are. The message was parsed before.
func scalars(b []byte) (kept []byte) {
	for len(b) > 0 {
		_, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return kept
		}
		whole := n + max(0, protowire.ConsumeFieldValue(1, typ, b[n:]))
		if typ != protowire.BytesType {
			kept = append(kept, b[:whole]...)
		}
		b = b[whole:]
	}
	return kept
}

// widen gives infos the types of their cast values and returns the names of
// those.
func widen(infos []IOInfo, names map[string]string) []string {
	all := ioNames(infos)
	for i := range infos {
		if name := names[infos[i].Name]; name != "" {
			all[i], infos[i].DType = name, wider[infos[i].DType]
		}
	}
	return all
}
