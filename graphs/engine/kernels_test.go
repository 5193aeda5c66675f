package engine

import "testing"

// TestJudge: a device runs what its provider got, if the runtime has left the model as it is.
func TestJudge(t *testing.T) {
	relu, tanh := oneNode("Relu", []int{1}, "x"), oneNode("Tanh", []int{1}, "x")
	on := func(provider string) []assigned { return []assigned{{provider, "n", "Cast"}, {provider, "n", "Relu"}} }
	for _, k := range []struct {
		what   string
		device string
		nodes  []assigned
		made   []byte
		want   string
	}{
		{"the CPU's own", "cpu", on(cpuProvider), relu, ""},
		{"the device's own", "cuda", on("CUDAExecutionProvider"), relu, ""},
		{"a fallback", "cuda", on(cpuProvider), relu, "only the CPU has a kernel"},
		{"nobody's", "cuda", nil, relu, "no provider has a kernel"},
		{"another model", "cpu", on(cpuProvider), tanh, "the runtime computes it in another type"},
	} {
		e := &Engine{device: device{kind: k.device}}
		if have, err := e.judge("Relu", k.nodes, relu, k.made); have != k.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", k.what, have, err, k.want)
		}
	}
	if _, err := (&Engine{device: device{kind: "cpu"}}).judge("Relu", on(cpuProvider), relu, relu[:len(relu)-1]); err == nil {
		t.Error("a broken model is accepted")
	}
}

// TestRunsAfterClose: a closed engine answers nothing.
func TestRunsAfterClose(t *testing.T) {
	if _, _, err := (&Engine{closed: true}).Runs("Relu", "float32", oneNode("Relu", []int{1}, "x")); err != errEngineClosed {
		t.Errorf("have %v", err)
	}
}
