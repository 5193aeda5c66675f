package cases

import (
	"fmt"

	"t2sda/graphs"
)

func matmulCases() (cases []Case) {
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
		cases = append(cases, Case{Op: "MatMul", Variant: s.variant, Args: []Arg{f(s.a...), f(s.b...)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.MatMul(v[0], v[1])
		}})
		for i := range 4 {
			transA, transB := i&1 == 1, i&2 == 2
			a, b := swapped(s.a, transA), swapped(s.b, transB)
			cases = append(cases, Case{
				Op: "FusedMatMul", Variant: fmt.Sprint(s.variant, transA, transB), Args: []Arg{f(a...), f(b...)},
				Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return g.FusedMatMul(v[0], v[1], transA, transB, 0.75)
				},
			})
		}
	}
	for i := range 4 {
		transA, transB := i&1 == 1, i&2 == 2
		for _, c := range [][]int{{3, 2}, {2}, {3, 1}, {}} {
			cases = append(cases, Case{
				Op: "Gemm", Variant: fmt.Sprint(transA, transB, c), Args: []Arg{f(swapped([]int{3, 4}, transA)...), f(swapped([]int{4, 2}, transB)...), f(c...)},
				Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return g.Gemm(v[0], v[1], v[2], transA, transB)
				},
			})
		}
	}
	return append(cases, Case{Op: "Gemm", Variant: "no addend", Args: []Arg{f(3, 4), f(4, 2)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
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
