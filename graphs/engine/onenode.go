package engine

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// oneNode serialises a model of one float32 node with the named inputs, all of
// shape dims (negative ones are free), and the output "y" of the same shape. Probing a device and
// measuring the machine need no more than that.
func oneNode(op string, dims []int, inputs ...string) []byte {
	var node, graph []byte
	for _, in := range inputs {
		node = appendBytes(node, 1, []byte(in))
	}
	node = appendBytes(node, 2, []byte("y"))
	node = appendBytes(node, 3, fmt.Appendf(nil, "%s_1", op))
	node = appendBytes(node, 4, []byte(op))
	graph = appendBytes(graph, 1, node)
	graph = appendBytes(graph, 2, []byte(op))
	for _, in := range inputs {
		graph = appendBytes(graph, 11, floatInfo(in, dims))
	}
	graph = appendBytes(graph, 12, floatInfo("y", dims))

	const irVersion, opset = 8, 17
	opsetID := appendVarint(appendBytes(nil, 1, nil), 2, opset)
	model := appendVarint(nil, 1, irVersion)
	model = appendBytes(model, 7, graph)
	return appendBytes(model, 8, opsetID)
}

// floatInfo is a ValueInfoProto of a float32 tensor. Free dimensions are one.
func floatInfo(name string, dims []int) []byte {
	var shape []byte
	for _, d := range dims {
		dim := appendVarint(nil, 1, uint64(d))
		if d < 0 {
			dim = appendBytes(nil, 2, []byte("n"))
		}
		shape = appendBytes(shape, 1, dim)
	}
	tensor := appendVarint(nil, 1, uint64(Float32))
	tensor = appendBytes(tensor, 2, shape)
	info := appendBytes(nil, 1, []byte(name))
	return appendBytes(info, 2, appendBytes(nil, 1, tensor))
}

func appendBytes(b []byte, num protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), content)
}

func appendVarint(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}
