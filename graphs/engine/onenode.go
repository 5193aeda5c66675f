package engine

import (
	"fmt"

	"t2sda/internal/protofield"
)

// oneNode serialises a model of one float32 node with the named inputs, all of
// shape dims (negative ones are free), and the output "y" of the same shape. Probing a device and
// measuring the machine need no more than that.
func oneNode(op string, dims []int, inputs ...string) []byte {
	graph := protofield.AppendBytes(nil, 1, node(op, op+"_1", "y", inputs...))
	graph = protofield.AppendBytes(graph, 2, []byte(op))
	for _, in := range inputs {
		graph = protofield.AppendBytes(graph, 11, tensorInfo(in, Float32, dims))
	}
	return modelOf(protofield.AppendBytes(graph, 12, tensorInfo("y", Float32, dims)))
}

// node is a NodeProto of one output, without attributes.
func node(op, name, output string, inputs ...string) (n []byte) {
	for _, in := range inputs {
		n = protofield.AppendBytes(n, 1, []byte(in))
	}
	n = protofield.AppendBytes(n, 2, []byte(output))
	n = protofield.AppendBytes(n, 3, []byte(name))
	return protofield.AppendBytes(n, 4, []byte(op))
}

// identities serialises a model that gives each of its inputs "x0", "x1", …, of those types and
// shapes, as "y0", "y1", ….
func identities(tensors []*Tensor) []byte {
	graph := protofield.AppendBytes(nil, 2, []byte("copies"))
	for i, t := range tensors {
		x, y := fmt.Sprint("x", i), fmt.Sprint("y", i)
		graph = protofield.AppendBytes(graph, 1, node("Identity", fmt.Sprint("Identity_", i), y, x))
		graph = protofield.AppendBytes(graph, 11, tensorInfo(x, t.DType(), t.dims))
		graph = protofield.AppendBytes(graph, 12, tensorInfo(y, t.DType(), t.dims))
	}
	return modelOf(graph)
}

// modelOf is a model of a GraphProto.
func modelOf(graph []byte) []byte {
	const irVersion, opset = 8, 17
	opsetID := protofield.AppendVarint(protofield.AppendBytes(nil, 1, nil), 2, opset)
	model := protofield.AppendVarint(nil, 1, irVersion)
	model = protofield.AppendBytes(model, 7, graph)
	return protofield.AppendBytes(model, 8, opsetID)
}

// tensorInfo is a ValueInfoProto of a tensor. Free dimensions are one.
func tensorInfo(name string, t DType, dims []int) []byte {
	var shape []byte
	for _, d := range dims {
		dim := protofield.AppendVarint(nil, 1, uint64(d))
		if d < 0 {
			dim = protofield.AppendBytes(nil, 2, []byte("n"))
		}
		shape = protofield.AppendBytes(shape, 1, dim)
	}
	tensor := protofield.AppendVarint(nil, 1, uint64(t))
	tensor = protofield.AppendBytes(tensor, 2, shape)
	info := protofield.AppendBytes(nil, 1, []byte(name))
	return protofield.AppendBytes(info, 2, protofield.AppendBytes(nil, 1, tensor))
}
