package orchestrator

import (
	"errors"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
)

// TestOutOfMemory: what ONNX Runtime says when it gets no memory becomes what to lower,
// and what is saved stays.
func TestOutOfMemory(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	tr := openTrainer(t, shapesConfig(root, t.TempDir()))
	refused := errors.New("session supervised: Error running network: Non-zero status code returned while running Conv node. Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 1073741824")
	for _, want := range []string{"nothing has been saved yet", "iter_000004 is kept: --resume continues from it"} {
		err := tr.explain(7, refused)
		for _, part := range []string{"iteration 7: there is not enough memory: lower train.batch (now 2) or data.crop (now 64×64)", "smaller model.encoder", want, "1073741824"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("have %v, want %q in it", err, part)
			}
		}
		tr.progress.Iteration = 4
		if err := tr.checkpoint(lastPrefix); err != nil {
			t.Fatal(err)
		}
	}
	arena := errors.New("arena of 82000000 values (312 MiB) on cuda:0: CUDA failure 2: out of memory")
	if err := explainBuild(tr.cfg, arena); !strings.HasPrefix(err.Error(), "before the first iteration: there is not enough memory: lower train.batch (now 2)") || !errors.Is(err, arena) {
		t.Errorf("have %v", err)
	}
	if err := explainBuild(tr.cfg, refused); !errors.Is(err, refused) || explainBuild(tr.cfg, nil) != nil {
		t.Errorf("have %v", err)
	}
	if err := tr.explain(7, errors.New("something else")); strings.Contains(err.Error(), "not enough memory") {
		t.Errorf("have %v", err)
	}
}
