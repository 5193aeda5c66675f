package graphs_test

import (
	"fmt"

	"t2sda/graphs"
)

func matmulRows() (rows []row) {
	for _, s := range []struct {
		variant string
		a, b    []int
	}{
		{"matrices", []int{3, 4}, []int{4, 2}},
		{"linear layer", []int{2, 3, 4}, []int{4, 5}},
		{"batched", []int{2, 3, 4}, []int{2, 4, 2}},
		{"one left matrix", []int{3, 4}, []int{2, 2, 4, 2}},
		{"crossed batches", []int{2, 1, 3, 4}, []int{3, 4, 2}},
		{"longer right", []int{2, 3, 4}, []int{3, 1, 4, 2}},
	} {
		rows = append(rows, row{op: "MatMul", variant: s.variant, args: []arg{f(s.a...), f(s.b...)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.MatMul(v[0], v[1])
		}})
		for i := range 4 {
			transA, transB := i&1 == 1, i&2 == 2
			a, b := swapped(s.a, transA), swapped(s.b, transB)
			rows = append(rows, row{
				op: "FusedMatMul", variant: fmt.Sprint(s.variant, transA, transB), args: []arg{f(a...), f(b...)},
				build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return g.FusedMatMul(v[0], v[1], transA, transB, 0.75)
				},
			})
		}
	}
	for i := range 4 {
		transA, transB := i&1 == 1, i&2 == 2
		for _, c := range [][]int{{3, 2}, {2}, {3, 1}, {}} {
			rows = append(rows, row{
				op: "Gemm", variant: fmt.Sprint(transA, transB, c), args: []arg{f(swapped([]int{3, 4}, transA)...), f(swapped([]int{4, 2}, transB)...), f(c...)},
				build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return g.Gemm(v[0], v[1], v[2], transA, transB)
				},
			})
		}
	}
	return append(rows, row{op: "Gemm", variant: "no addend", args: []arg{f(3, 4), f(4, 2)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
		return g.Gemm(v[0], v[1], nil, false, false)
	}})
}

// swapped returns dims with the last two exchanged if asked to.
func swapped(dims []int, swap bool) []int {
	d := append([]int{}, dims...)
	if n := len(d); swap {
		d[n-1], d[n-2] = d[n-2], d[n-1]
	}
	return d
}
