package graphs_test

import (
	"fmt"
	"testing"

	"t2sda/graphs"
)

// BenchmarkReluGrad compares ways to let a cotangent through where an output is positive.
func BenchmarkReluGrad(b *testing.B) {
	benchmark(b, [][]int{{4 << 20}, {4 << 20}},
		variant{name: "hard-sigmoid", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Mul(v[0], g.HardSigmoid(v[1], 3e38, 0))
		}},
		variant{name: "sign", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Mul(v[0], g.Sign(v[1])) }},
		variant{name: "cast", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Mul(v[0], g.Cast(g.Greater(v[1], g.Scalar(0)), graphs.Float32))
		}},
		variant{name: "where", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Where(g.Greater(v[1], g.Scalar(0)), v[0], g.Scalar(0))
		}},
	)
}

// BenchmarkGelu times Gelu and its gradient.
func BenchmarkGelu(b *testing.B) {
	benchmark(b, [][]int{{4 << 20}, {4 << 20}},
		variant{name: "forward", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Gelu(v[0]) }},
		variant{name: "gradient", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return gradient(g, v[0], v[1], g.Gelu) }},
		variant{name: "one-pass", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Mul(v[0], v[1]) }},
	)
}

// BenchmarkSumRows compares ways to sum the rows of a matrix.
func BenchmarkSumRows(b *testing.B) {
	for _, rows := range []int{8, 32, 1024, 1 << 16} {
		columns := (4 << 20) / rows
		b.Run(fmt.Sprintf("%dx%d", rows, columns), func(b *testing.B) {
			benchmark(b, [][]int{{rows, columns}},
				variant{name: "reduce-sum", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.ReduceSum(v[0], []int{0}, false) }},
				variant{name: "ones-product", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return g.MatMul(g.Expand(g.Scalar(1), 1, rows), v[0])
				}},
			)
		})
	}
}

// BenchmarkLayerNormalization compares ONNX Runtime's kernel with a composition, and times the
// gradient.
func BenchmarkLayerNormalization(b *testing.B) {
	for _, d := range []int{32, 64, 160, 256} {
		rows := (4 << 20) / d
		norm := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.LayerNormalization(v[0], v[2], v[3], 1e-5)
		}
		b.Run(fmt.Sprint(d), func(b *testing.B) {
			benchmark(b, [][]int{{rows, d}, {rows, d}, {d}, {d}},
				variant{name: "forward", build: norm},
				variant{name: "composed", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					x := g.Sub(v[0], g.ReduceMean(v[0], []int{1}, true))
					variance := g.ReduceMean(g.Mul(x, x), []int{1}, true)
					r := g.Reciprocal(g.Sqrt(g.Add(variance, g.Scalar(1e-5))))
					return g.Add(g.Mul(g.Mul(x, r), v[2]), v[3])
				}},
				variant{name: "forward+gradient", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return gradient(g, v[0], v[1], func(x *graphs.Value) *graphs.Value { return norm(g, []*graphs.Value{x, nil, v[2], v[3]}) })
				}},
			)
		})
	}
}
