package cases

import (
	"fmt"

	"t2sda/graphs"
)

func convCases() (cases []Case) {
	for _, c := range []struct {
		variant string
		x, w    []int
		a       graphs.ConvAttrs
		bias    bool
	}{
		{"3×3", []int{2, 3, 5, 6}, []int{4, 3, 3, 3}, graphs.ConvAttrs{Pads: [4]int{1, 1, 1, 1}}, true},
		{"3×3 no pads", []int{1, 2, 5, 4}, []int{3, 2, 3, 3}, graphs.ConvAttrs{}, false},
		{"3×3 one-sided pads", []int{2, 5, 4, 5}, []int{2, 5, 3, 3}, graphs.ConvAttrs{Pads: [4]int{0, 1, 2, 0}}, false},
		{"pads beyond the kernel", []int{1, 2, 3, 3}, []int{2, 2, 2, 2}, graphs.ConvAttrs{Pads: [4]int{2, 2, 1, 1}}, false},
		{"2×3", []int{2, 2, 5, 4}, []int{3, 2, 2, 3}, graphs.ConvAttrs{Pads: [4]int{1, 0, 0, 2}}, false},
		{"dilation", []int{2, 2, 7, 8}, []int{3, 2, 3, 3}, graphs.ConvAttrs{Dilations: [2]int{2, 3}, Pads: [4]int{2, 3, 2, 3}}, false},
		{"to few of many channels, one-sided pads", []int{2, 256, 2, 3}, []int{2, 256, 3, 2}, graphs.ConvAttrs{Pads: [4]int{0, 1, 2, 0}}, true},
		{"to few of many channels, no pads", []int{1, 256, 4, 3}, []int{2, 256, 2, 3}, graphs.ConvAttrs{}, false},
		{"to few of many channels, dilation", []int{1, 256, 5, 4}, []int{1, 256, 2, 2}, graphs.ConvAttrs{Dilations: [2]int{2, 3}, Pads: [4]int{2, 1, 0, 3}}, false},
		{"to few of many channels, pads beyond the kernel", []int{1, 256, 2, 2}, []int{2, 256, 2, 2}, graphs.ConvAttrs{Pads: [4]int{2, 2, 1, 1}}, false},
		{"stride 2, odd", []int{2, 3, 7, 5}, []int{4, 3, 3, 3}, graphs.ConvAttrs{Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}, true},
		{"stride 2, even", []int{1, 5, 8, 6}, []int{2, 5, 3, 3}, graphs.ConvAttrs{Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}, false},
		{"stride 2×3, dilation 2×1", []int{2, 2, 9, 8}, []int{3, 2, 2, 3}, graphs.ConvAttrs{Strides: [2]int{2, 3}, Dilations: [2]int{2, 1}, Pads: [4]int{0, 1, 1, 0}}, false},
		{"stem 7×7 stride 4", []int{2, 3, 13, 12}, []int{4, 3, 7, 7}, graphs.ConvAttrs{Strides: [2]int{4, 4}, Pads: [4]int{3, 3, 3, 3}}, true},
		{"1×1", []int{2, 3, 4, 3}, []int{5, 3, 1, 1}, graphs.ConvAttrs{}, true},
		{"1×1 stride 2", []int{2, 3, 4, 5}, []int{2, 3, 1, 1}, graphs.ConvAttrs{Strides: [2]int{2, 2}}, false},
		{"1×1 padded", []int{2, 3, 2, 3}, []int{2, 3, 1, 1}, graphs.ConvAttrs{Pads: [4]int{1, 0, 0, 1}}, false},
		{"patches", []int{2, 3, 4, 6}, []int{5, 3, 2, 2}, graphs.ConvAttrs{Strides: [2]int{2, 2}}, true},
		{"patches with a rest", []int{2, 5, 5, 8}, []int{2, 5, 2, 3}, graphs.ConvAttrs{Strides: [2]int{2, 3}}, false},
		{"groups", []int{2, 4, 5, 4}, []int{6, 2, 3, 3}, graphs.ConvAttrs{Group: 2, Pads: [4]int{1, 1, 1, 1}}, true},
		{"groups, stride 2", []int{2, 4, 5, 4}, []int{6, 2, 3, 3}, graphs.ConvAttrs{Group: 2, Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}, false},
		{"grouped 1×1", []int{2, 4, 3, 4}, []int{6, 2, 1, 1}, graphs.ConvAttrs{Group: 2}, false},
		{"grouped patches", []int{2, 4, 4, 6}, []int{6, 2, 2, 2}, graphs.ConvAttrs{Group: 2, Strides: [2]int{2, 2}}, false},
		{"depthwise", []int{2, 3, 5, 6}, []int{3, 1, 3, 3}, graphs.ConvAttrs{Group: 3, Pads: [4]int{1, 1, 1, 1}}, true},
		{"depthwise, several blocks", []int{2, 2, 37, 4}, []int{2, 1, 3, 3}, graphs.ConvAttrs{Group: 2, Pads: [4]int{1, 1, 1, 1}}, false},
		{"depthwise, blocks with a rest", []int{1, 2, 29, 5}, []int{2, 1, 5, 3}, graphs.ConvAttrs{Group: 2, Dilations: [2]int{3, 2}, Pads: [4]int{4, 1, 2, 3}}, false},
		{"depthwise, pads only above", []int{2, 2, 26, 4}, []int{2, 1, 3, 3}, graphs.ConvAttrs{Group: 2, Pads: [4]int{3, 2, 3, 2}}, false},
		{"depthwise, beyond the blocks", []int{1, 2, 40, 5}, []int{2, 1, 3, 3}, graphs.ConvAttrs{Group: 2, Dilations: [2]int{18, 6}, Pads: [4]int{18, 6, 18, 6}}, false},
		{"depthwise, several blocks, stride 2", []int{1, 2, 38, 5}, []int{2, 1, 5, 3}, graphs.ConvAttrs{Group: 2, Strides: [2]int{2, 2}, Pads: [4]int{2, 1, 2, 1}}, false},
		{"depthwise, stride 2", []int{2, 3, 7, 6}, []int{3, 1, 3, 3}, graphs.ConvAttrs{Group: 3, Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}, false},
		{"depthwise, stride 2, pads below only", []int{2, 2, 6, 8}, []int{2, 1, 3, 5}, graphs.ConvAttrs{Group: 2, Strides: [2]int{2, 2}, Pads: [4]int{0, 1, 1, 2}}, false},
		{"depthwise, stride 1×3", []int{1, 2, 20, 7}, []int{2, 1, 3, 2}, graphs.ConvAttrs{Group: 2, Strides: [2]int{1, 3}, Pads: [4]int{1, 0, 1, 0}}, false},
		{"depthwise, stride and dilation", []int{1, 2, 9, 8}, []int{2, 1, 3, 3}, graphs.ConvAttrs{Group: 2, Strides: [2]int{2, 2}, Dilations: [2]int{2, 2}, Pads: [4]int{2, 2, 2, 2}}, false},
		{"depthwise, dilation", []int{1, 3, 9, 8}, []int{3, 1, 3, 3}, graphs.ConvAttrs{Group: 3, Dilations: [2]int{2, 2}, Pads: [4]int{2, 2, 2, 2}}, false},
		{"depthwise, one-sided pads", []int{2, 3, 4, 5}, []int{3, 1, 2, 3}, graphs.ConvAttrs{Group: 3, Pads: [4]int{0, 2, 1, 0}}, false},
		{"depthwise, two per channel", []int{2, 3, 4, 5}, []int{6, 1, 3, 3}, graphs.ConvAttrs{Group: 3, Pads: [4]int{1, 1, 1, 1}}, false},
	} {
		args := []Arg{f(c.x...), f(c.w...)}
		if c.bias {
			args = append(args, f(c.w[0]))
		}
		cases = append(cases, Case{Op: "Conv", Variant: c.variant, Args: args, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Conv(v[0], v[1], bias(v), c.a)
		}})
	}
	return append(cases, convTransposeCases()...)
}

func convTransposeCases() (cases []Case) {
	for i, c := range []struct {
		x, w  []int
		a     graphs.ConvAttrs
		extra [2]int
		bias  bool
	}{
		{[]int{2, 3, 3, 4}, []int{3, 2, 3, 3}, graphs.ConvAttrs{Pads: [4]int{1, 1, 1, 1}}, [2]int{}, true},
		{[]int{2, 3, 3, 4}, []int{3, 2, 3, 3}, graphs.ConvAttrs{Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}, [2]int{1, 0}, false},
		{[]int{1, 4, 3, 2}, []int{4, 2, 2, 3}, graphs.ConvAttrs{Strides: [2]int{2, 3}, Dilations: [2]int{2, 1}, Group: 2}, [2]int{1, 2}, true},
		{[]int{2, 3, 3, 3}, []int{3, 1, 3, 3}, graphs.ConvAttrs{Strides: [2]int{2, 2}, Group: 3, Pads: [4]int{0, 1, 1, 0}}, [2]int{}, false},
	} {
		args := []Arg{f(c.x...), f(c.w...)}
		if c.bias {
			args = append(args, f(c.w[1]*max(c.a.Group, 1)))
		}
		cases = append(cases, Case{Op: "ConvTranspose", Variant: fmt.Sprint(i), Args: args, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.ConvTranspose(v[0], v[1], bias(v), c.a, c.extra)
		}})
	}
	return cases
}

// bias returns the third operand if there is one.
func bias(v []*graphs.Value) *graphs.Value {
	if len(v) < 3 {
		return nil
	}
	return v[2]
}
