package graphtest

import (
	"math"

	"t2sda/graphs"
)

// kernels holds one kernel for every operator that package graphs emits. It is never modified.
var kernels = map[string]kernel{
	"Abs":                unary(math.Abs),
	"Add":                binary(func(a, b float64) float64 { return a + b }),
	"ArgMax":             argMax,
	"AveragePool":        averagePool,
	"Cast":               cast,
	"Clip":               clip,
	"Concat":             concat,
	"Conv":               conv,
	"ConvTranspose":      convTranspose,
	"Div":                div,
	"Equal":              binary(func(a, b float64) float64 { return truth(a == b) }),
	"Erf":                unary(math.Erf),
	"Exp":                unary(math.Exp),
	"Expand":             expand,
	"Floor":              unary(math.Floor),
	"FusedMatMul":        fusedMatMul,
	"Gather":             gather,
	"GatherElements":     gatherElements,
	"Gelu":               unary(func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }),
	"Gemm":               gemm,
	"Greater":            binary(func(a, b float64) float64 { return truth(a > b) }),
	"HardSigmoid":        hardSigmoid,
	"Identity":           identity,
	"LayerNormalization": layerNormalization,
	"Less":               binary(func(a, b float64) float64 { return truth(a < b) }),
	"Log":                unary(math.Log),
	"LogSoftmax":         logSoftmax,
	"MatMul":             matMul,
	"Max":                binary(math.Max),
	"MaxPool":            maxPool,
	"Min":                binary(math.Min),
	"Mul":                binary(func(a, b float64) float64 { return a * b }),
	"Neg":                unary(func(x float64) float64 { return -x }),
	"Not":                unary(func(x float64) float64 { return 1 - x }),
	"OneHot":             oneHot,
	"Pad":                pad,
	"Reciprocal":         unary(func(x float64) float64 { return 1 / x }),
	"ReduceMax":          reduceMax,
	"ReduceMean":         reduceMean,
	"ReduceSum":          reduceSum,
	"Relu":               unary(func(x float64) float64 { return math.Max(x, 0) }),
	"Reshape":            reshape,
	"Resize":             resize,
	"ScatterElements":    scatterElements,
	"ScatterND":          scatterND,
	"Sigmoid":            unary(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }),
	"Sign":               unary(sign),
	"Slice":              slice,
	"Softmax":            softmax,
	"Split":              split,
	"Sqrt":               unary(math.Sqrt),
	"Sub":                binary(func(a, b float64) float64 { return a - b }),
	"Tanh":               unary(math.Tanh),
	"Transpose":          transpose,
	"Where":              where,
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func sign(x float64) float64 { return truth(x > 0) - truth(x < 0) }

// one wraps the usual single output.
func one(a Array) []Array { return []Array{a} }

func unary(f func(x float64) float64) kernel {
	return func(_ *graphs.Node, in []Array) []Array {
		y := New(in[0].Shape...)
		for i, x := range in[0].Data {
			y.Data[i] = f(x)
		}
		return one(y)
	}
}

func binary(f func(a, b float64) float64) kernel {
	return func(n *graphs.Node, in []Array) []Array {
		y := New(n.Outputs()[0].Shape()...)
		each(y.Shape, func(k int, index []int) {
			y.Data[k] = f(in[0].broadcastAt(index), in[1].broadcastAt(index))
		})
		return one(y)
	}
}

func div(n *graphs.Node, in []Array) []Array {
	if n.Outputs()[0].DType() == graphs.Float32 {
		return binary(func(a, b float64) float64 { return a / b })(n, in)
	}
	return binary(func(a, b float64) float64 { return math.Trunc(a / b) })(n, in)
}

func identity(_ *graphs.Node, in []Array) []Array { return in }

func clip(n *graphs.Node, in []Array) []Array {
	lo, hi := in[1].Data[0], in[2].Data[0]
	return unary(func(x float64) float64 { return min(max(x, lo), hi) })(n, in)
}

func hardSigmoid(n *graphs.Node, in []Array) []Array {
	alpha, beta := float64(n.Float("alpha")), float64(n.Float("beta"))
	return unary(func(x float64) float64 { return min(max(alpha*x+beta, 0), 1) })(n, in)
}

func cast(n *graphs.Node, in []Array) []Array {
	switch graphs.DType(n.Int("to")) {
	case graphs.Float32, graphs.Float16, graphs.BFloat16:
		return in // what rounding there is follows
	case graphs.Bool:
		return unary(func(x float64) float64 { return truth(x != 0) })(n, in)
	}
	return unary(math.Trunc)(n, in)
}

func where(n *graphs.Node, in []Array) []Array {
	y := New(n.Outputs()[0].Shape()...)
	each(y.Shape, func(k int, index []int) {
		from := in[2]
		if in[0].broadcastAt(index) != 0 {
			from = in[1]
		}
		y.Data[k] = from.broadcastAt(index)
	})
	return one(y)
}
