package engine

import (
	"google.golang.org/protobuf/encoding/protowire"

	"t2sda/internal/protofield"
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

// casts are the values behind inputs and before outputs that are cast: the model's own name
// → that of the cast value.
type casts struct{ in, out map[string]string }

func (c casts) none() bool { return len(c.in)+len(c.out) == 0 }

// widened returns a model whose inputs and outputs hold types that tensors can
// hold: nodes that cast them stand before and behind the others. onnxruntime_go
// has no tensors of float16, and of those that a run allocates it keeps half. The
// infos get the new types, and names that the model's own nodes do not know. Nothing is
// changed where every type is one of ours.
//
// fed are the inputs without initialisers; others stay as they are, also where an output
// bears their name.
func widened(model []byte, fed, outputs []IOInfo) (edited []byte, c casts, err error) {
	c = casts{in: map[string]string{}, out: map[string]string{}}
	types := map[protowire.Number]map[string]DType{graphInput: {}, graphOutput: {}}
	var before, after []byte
	for _, info := range fed {
		if to := wider[info.DType]; to != 0 {
			c.in[info.Name], types[graphInput][info.Name] = info.Name+castSuffix, to
			before = appendNode(before, castNode(info.Name+castSuffix, info.Name, info.DType))
		}
	}
	for _, info := range outputs {
		if to := wider[info.DType]; to != 0 {
			c.out[info.Name], types[graphOutput][info.Name] = info.Name+castSuffix, to
			after = appendNode(after, castNode(info.Name, info.Name+castSuffix, to))
		}
	}
	if c.none() {
		return model, c, nil
	}
	err = fields(model, func(num protowire.Number, b []byte) error {
		if num == modelGraph {
			if b, err = widenedGraph(b, types, before, after); err != nil {
				return err
			}
		}
		edited = protofield.AppendBytes(edited, num, b)
		return nil
	})
	if err != nil {
		return nil, c, err
	}
	// Fields that are no messages or texts: ir_version and model_version.
	return append(scalars(model), edited...), c, nil
}

// castSuffix ends the names of cast values.
const castSuffix = "/t2sda.cast"

// widenedGraph rewrites a GraphProto; types has the new ones by field and name. All its
// fields are length-delimited.
func widenedGraph(graph []byte, types map[protowire.Number]map[string]DType, before, after []byte) (edited []byte, err error) {
	edited = append(edited, before...)
	err = fields(graph, func(num protowire.Number, b []byte) error {
		if renamed := types[num]; renamed != nil {
			if to := renamed[protofield.Text(b, infoName)]; to != 0 {
				if b, err = widenedInfo(b, to); err != nil {
					return err
				}
			}
		}
		edited = protofield.AppendBytes(edited, num, b)
		return nil
	})
	return append(edited, after...), err
}

// widenedInfo is a ValueInfoProto of another name and type, and the same shape.
func widenedInfo(info []byte, to DType) ([]byte, error) {
	tensor := protofield.AppendVarint(nil, tensorElem, uint64(to))
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
					tensor = protofield.AppendBytes(tensor, tensorDims, b)
				}
				return nil
			})
		})
	})
	named := protofield.AppendBytes(nil, infoName, []byte(protofield.Text(info, infoName)+castSuffix))
	return protofield.AppendBytes(named, infoType, protofield.AppendBytes(nil, typeTensor, tensor)), err
}

// castNode is a NodeProto: to = Cast(from).
func castNode(from, to string, t DType) []byte {
	const (
		nodeAttribute                                       = 5
		attributeName, attributeInt, attributeType, typeInt = 1, 3, 20, 2
	)
	a := protofield.AppendBytes(nil, attributeName, []byte("to"))
	a = protofield.AppendVarint(a, attributeInt, uint64(t))
	a = protofield.AppendVarint(a, attributeType, typeInt)
	return protofield.AppendBytes(node("Cast", from+castSuffix, to, from), nodeAttribute, a)
}

func appendNode(b, node []byte) []byte { return protofield.AppendBytes(b, graphNode, node) }

// scalars returns the fields of a message that are not length-delimited, as they
// are. The message was parsed before.
func scalars(b []byte) (kept []byte) {
	_ = protofield.Each(b, func(f protofield.Field) error {
		if f.Type != protowire.BytesType {
			kept = append(kept, f.Whole...)
		}
		return nil
	})
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
