package export_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
)

// longEnv asks for what takes minutes, or tools that are not everywhere.
const longEnv = "T2SDA_TEST_LONG"

// TestChecker puts models of every form and network through the full check of the Python package
// onnx, with strict inference of shapes.
func TestChecker(t *testing.T) {
	if os.Getenv(longEnv) != "1" {
		t.Skip("set " + longEnv + "=1 to put every form of model through onnx's checker")
	}
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import onnx").Run() != nil {
		t.Skip("there is no Python with the package onnx")
	}
	e := enginetest.Open(t, engine.Options{})
	dir := t.TempDir()
	write := func(name string, o export.ModelOptions) {
		model, err := export.Finish(t.Context(), e, o, exporttest.RandomWeights(t, o.Arch))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".onnx"), model, 0o600)
		}
		if err != nil {
			t.Fatal(name, err)
		}
	}
	for _, dynamic := range []bool{false, true} {
		for _, encoder := range append([]string{"dinov2_vits14_reg"}, smallEncoders...) {
			for _, head := range nets.Heads() {
				o := formsOf(encoder, head)
				o.Dynamic, o.Outputs = dynamic, predict.Outputs()
				write(fmt.Sprintf("%s-%s-%v", encoder, head, dynamic), o)
			}
		}
		for _, input := range export.Inputs() {
			for opset := 17; opset <= 23; opset++ {
				for _, outputs := range [][]string{nil, predict.Outputs()} {
					o := formsOf("mit_nano", "lraspp")
					if err := o.SetInput(input); err != nil {
						t.Fatal(err)
					}
					o.Dynamic, o.Outputs, o.Opset = dynamic, outputs, opset
					write(fmt.Sprintf("%s-%d-%d-%v", input, opset, len(outputs), dynamic), o)
				}
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), python, "testdata/check.py", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
