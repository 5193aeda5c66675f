package cases

import (
	"fmt"

	"t2sda/graphs"
)

func resizeCases() (cases []Case) {
	for _, s := range []struct{ h, w, toH, toW int }{
		{3, 4, 6, 8},
		{3, 4, 12, 16},
		{5, 4, 7, 9},
		{7, 8, 3, 5},
		{4, 6, 2, 3},
		{1, 3, 4, 3},
		{4, 5, 4, 10},
	} {
		for _, mode := range []string{"linear", "nearest"} {
			cases = append(cases, Case{
				Op: "Resize", Variant: fmt.Sprintf("%s %d×%d to %d×%d", mode, s.h, s.w, s.toH, s.toW), Args: []Arg{f(2, 3, s.h, s.w)},
				Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Resize(v[0], s.toH, s.toW, mode) },
			})
		}
	}
	return cases
}
