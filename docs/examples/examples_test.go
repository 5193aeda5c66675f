// Package examples_test runs the examples of reading an exported model, each where its toolchain
// is there.
package examples_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// fixture is a model, a picture of odd size, and what every example prints of them.
type fixture struct{ model, png, ppm, want string }

func newFixture(t *testing.T) fixture {
	t.Helper()
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	if err := o.SetInput(export.Uint8NHWC); err != nil {
		t.Fatal(err)
	}
	o.Dynamic, o.Outputs = true, []string{predict.OutputLabels}
	model, err := export.Finish(t.Context(), e, o, exporttest.RandomWeights(t, o.Arch))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := fixture{model: filepath.Join(dir, "m.onnx"), png: filepath.Join(dir, "p.png"), ppm: filepath.Join(dir, "p.ppm")}
	img := exporttest.RandomImages(rand.New(rand.NewPCG(3, 3)), 1, 101, 67)[0]
	ppm := append(fmt.Appendf(nil, "P6\n%d %d\n255\n", img.W, img.H), img.RGB()...)
	for path, data := range map[string][]byte{f.model: model, f.ppm: ppm} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := raster.WritePNG(f.png, img.NRGBA()); err != nil {
		t.Fatal(err)
	}
	labels, err := exporttest.Open(t, e, f.model, predict.Options{}).Predict(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	var counts [256]int
	for _, id := range labels.Pix {
		counts[id]++
	}
	for id, n := range counts {
		if n > 0 {
			f.want += fmt.Sprintln(id, n)
		}
	}
	if strings.Count(f.want, "\n") < 2 {
		t.Fatalf("the model sees a single class: %s", f.want)
	}
	return f
}

// prints runs a command and compares what it prints.
func (f fixture) prints(t *testing.T, name string, args ...string) {
	t.Helper()
	var faults bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &faults)
	}
	if string(out) != f.want {
		t.Errorf("%s printed\n%s, want\n%s", name, out, f.want)
	}
}

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s", name)
	}
	return path
}

func TestGo(t *testing.T) {
	f := newFixture(t)
	f.prints(t, tool(t, "go"), "run", "./go", f.model, f.png)
}

func TestPython(t *testing.T) {
	python := tool(t, "python3")
	if exec.CommandContext(t.Context(), python, "-c", "import numpy, onnxruntime").Run() != nil {
		t.Skip("there is no Python with numpy and onnxruntime")
	}
	f := newFixture(t)
	f.prints(t, python, "python/segment.py", f.model, f.ppm)
}

// TestNode looks for onnxruntime-node where Node does: here, above, and in NODE_PATH.
func TestNode(t *testing.T) {
	node := tool(t, "node")
	if exec.CommandContext(t.Context(), node, "-e", "require('onnxruntime-node')").Run() != nil {
		t.Skip("there is no onnxruntime-node: npm install onnxruntime-node, and NODE_PATH=…/node_modules")
	}
	f := newFixture(t)
	f.prints(t, node, "node/segment.mjs", f.model, f.ppm)
}

// TestCpp compiles with the header that the module onnxruntime_go brings.
func TestCpp(t *testing.T) {
	compiler := tool(t, "g++")
	header, err := exec.CommandContext(t.Context(), tool(t, "go"), "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Fatal(err)
	}
	library, err := engine.Discover("")
	if err != nil {
		t.Skip(err)
	}
	f := newFixture(t)
	program := filepath.Join(t.TempDir(), "segment")
	build := exec.CommandContext(t.Context(), compiler, "-std=c++17", "-Wall", "-Werror", "-I", strings.TrimSpace(string(header)),
		"cpp/segment.cpp", "-o", program, library, "-Wl,-rpath,"+filepath.Dir(library))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.prints(t, program, f.model, f.ppm)
}
