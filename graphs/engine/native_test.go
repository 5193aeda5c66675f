package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/onnxtest"
)

// TestNativeAttributes: a kernel is not made of attributes that name what is not there, and there is
// none for sessions that did not ask.
func TestNativeAttributes(t *testing.T) {
	const floatType, int64Type = 1, 7
	e := open(t, Options{Device: "cpu", IntraOpThreads: 1})
	if !e.Native() {
		t.Skip("kernels of our own are for x86-64 with AVX2")
	}
	sum := map[string][]int{ // y = x + b for x [2,3] and b [3], whose strip is filled
		"sizes": {6, 1}, "operands": {1, 6, 1, 2, 2, 3, 0, 1}, "results": {2, 2, 3}, "once": {}, "code": {6, 0, 2, 2, 0, 3, 1, 0},
	}
	kinds := []struct {
		op, ins, outs string
		good          map[string][]int
		bad           map[string][][]int
	}{
		{"Elementwise", "x b", "y", sum, map[string][][]int{
			"sizes":    {{}, {6}, {0, 1}, {5, 1}, {6, 25}, {6, -1}, {6, 0}},
			"operands": {{1}, {9, 6, 1}, {-1}, {1, 6, 1, 2, 2, 0, 0, 1}, {1, 7, 1, 2, 2, 3, 0, 1}, {1, 6, 1, 2, 2, 3, 1 << 40, 0}, {1, 6, -1, 2, 2, 3, 0, 1}, {1, 6, 1}, slices.Repeat([]int{1, 6, 1}, 65)},
			"results":  {{}, {2, 2}, {2, 2, 4}, {-1}, {17}, {2, -2, -3}, {2, 1 << 62, 6}},
			"once":     {{1}, {1, -1, 0}, {-1, -1, 0}, {0, 2, 0}, {0, -2, 0}},
			"code":     {{6, 0, 2, 2, 0, 3, 1}, {7, 0, 2, 2}, {6, 3, 2, 2}, {-1, 0, 1, 1}, {0, 3, 1, 2}, {6, 0, 1, 1}, {0, 1, 1, 1}, {0, 4, 1, 1}, {0, -1, 1, 1}, {0, 3, 4, 1}, {0, 3, 1, -1}},
		}},
		{"LayerNormalization", "x b c", "y m r", map[string][]int{"sizes": {2, 3, 0, 1}, "results": {2, 2, 3, 1, 2, 1, 2}}, map[string][][]int{
			"sizes": {{2, 3, 0}, {3, 2, 0, 1}, {2, 0, 0, 1}, {2, 4, 0, 1}}, "results": {{2, 2, 3}, {2, 2, 3, 1, 2, 1, 3}, {2, 2, 3, 1, 2, 1, 2, 1, 2}},
		}},
		{"ScatterLabels", "l v", "y", map[string][]int{"sizes": {1, 2, 3}, "results": {2, 2, 3}}, map[string][][]int{
			"sizes": {{1, 2}, {1, 3, 3}, {0, 2, 3}, {-1, -2, 3}}, "results": {{2, 2, 2}, {}},
		}},
		{"DepthwiseConv", "m k", "y", map[string][]int{"sizes": {4, 5, 3, 3, 1, 1, 1, 1, 1, 1}, "results": {4, 1, 2, 4, 5}}, map[string][][]int{
			"sizes": {
				{},
				{4, 5, 3, 3, 1, 1, 1, 1, 1},
				{0, 5, 3, 3, 1, 1, 1, 1, 1, 1},
				{4, 5, 8, 8, 1, 1, 1, 1, 1, 1},
				{4, 5, 3, 3, 0, 1, 1, 1, 1, 1},
				{4, 5, 3, 3, 1, 1, 1, 0, 1, 1},
				{4, 5, 3, 3, 1, 1, 1, 1, -1, 1},
				{4, 5, 3, 3, 1, 1, 1 << 23, 1 << 23, 1, 1},
				{4, 5, 3, 3, 1, 1 << 24, 1, 1, 1, 1},
				{4, 5, 3, 3, 1 << 20, 1 << 20, 1, 1, 1, 1},
				{1 << 30, 5, 3, 3, 1, 1, 1, 1, 1, 1},
			},
			"results": {{3, 2, 4, 5}, {4, 1, 2, 4, 0}, {}},
		}},
		{"DepthwiseWeightGrad", "m d", "y", map[string][]int{"sizes": {4, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 4, 5}, "results": {4, 2, 1, 3, 3}}, map[string][][]int{
			"sizes": {
				{},
				{4, 5, 3, 3, 1, 1, 1, 1, 1, 1},
				{4, 5, 3, 3, 1, 1, 1, 1, 1, 1, 0, 4, 5},
				{4, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1 << 40, 4, 5},
				{4, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 0, 5},
				{4, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 4, 1 << 30},
				{4, 5, 3, 3, 1, 1, 1, 1, 1, -1, 1, 4, 5},
				{4, 5, 3, 5, 1, 1, 1, 1, 1, 1, 1, 4, 5},
			},
			"results": {{3, 2, 3, 3}, {4, 2, 2, 3, 3}, {4, 2, 1, 0, 3}, {}},
		}},
		{"GeluGrad", "d v", "y", map[string][]int{"sizes": {}, "results": {2, 2, 3}}, map[string][][]int{
			"sizes": {{1}}, "results": {{}, {-1}, {2, 2, 0}},
		}},
		{"LayerNormGrad", "d x m i b", "y s t", map[string][]int{"sizes": {3}, "results": {2, 2, 3, 1, 3, 1, 3}}, map[string][][]int{
			"sizes": {{}, {0}, {2}, {6}, {3, 3}}, "results": {{2, 2, 3}, {2, 2, 3, 1, 3, 1, 2}, {2, 2, 4, 1, 3, 1, 3}},
		}},
		{"ResizeGrad", "m", "y", map[string][]int{"sizes": {8, 8}, "results": {4, 1, 2, 4, 5}}, map[string][][]int{
			"sizes": {{4}, {0, 5}, {4, -1}, {4, 1 << 30}, {1 << 24, 1 << 24}}, "results": {{3, 2, 8, 8}, {4, 1, 2, 1 << 30, 8}, {4, 1, 2, 0, 8}},
		}},
		{"SoftmaxGrad", "y d", "x", map[string][]int{"sizes": {8}, "results": {2, 2, 8}}, map[string][][]int{
			"sizes": {{}, {0}, {-8}, {3}, {6}, {8, 8}, {12}}, "results": {{}, {2, 2, 6}, {-1}},
		}},
		{"ResizeLinear", "m", "y", map[string][]int{"sizes": {4, 5}, "results": {4, 1, 2, 8, 8}}, map[string][][]int{
			"sizes": {{4}, {0, 5}, {4, -1}, {4, 1 << 30}}, "results": {{3, 2, 8, 8}, {4, 1, 2, 1 << 30, 8}, {4, 1, 2, 0, 8}},
		}},
	}
	for _, k := range kinds {
		model := func(attrs map[string][]int) []byte {
			var list []any
			for _, name := range slices.Sorted(maps.Keys(attrs)) {
				list = append(list, name, attrs[name])
			}
			m := onnxtest.New().NodeOf(nativeDomain, "node", k.op, k.ins, k.outs, list...)
			for in := range strings.FieldsSeq(k.ins) {
				switch in {
				case "l":
					m.In(in, int64Type, 1, 3)
				case "x":
					m.In(in, floatType, 2, 3)
				case "m":
					m.In(in, floatType, 1, 2, 4, 5)
				case "k":
					m.In(in, floatType, 2, 1, 3, 3)
				default:
					m.In(in, floatType, 3)
				}
			}
			return m.Out("y", floatType, 2, 3).Bytes()
		}
		try := func(attrs map[string][]int, o SessionOptions) error {
			s, err := e.NewSessionWith("native", model(attrs), o)
			if err == nil {
				err = s.Close()
			}
			return err
		}
		if err := try(k.good, SessionOptions{Native: true}); err != nil {
			t.Errorf("%s: %v", k.op, err)
		}
		if err := try(k.good, SessionOptions{}); err == nil {
			t.Errorf("%s: there is one in a session that did not ask", k.op)
		}
		for name, lists := range k.bad {
			for _, list := range lists {
				attrs := maps.Clone(k.good)
				attrs[name] = list
				if err := try(attrs, SessionOptions{Native: true}); err == nil || !strings.Contains(err.Error(), k.op+": its attributes fit no ") {
					t.Errorf("%s with %s %v: have %v", k.op, name, list, err)
				}
			}
		}
	}
	stock := open(t, Options{Device: "cpu", Kernels: KernelsStock})
	if stock.Native() {
		t.Error("an engine of ONNX Runtime's kernels alone has ours")
	}
	if _, err := stock.NewSessionWith("native", onnxtest.New().Bytes(), SessionOptions{Native: true}); err == nil {
		t.Error("and lets sessions have them")
	}
}
