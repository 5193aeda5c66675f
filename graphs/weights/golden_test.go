package weights

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// golden returns what testdata/golden.py says that the tensors of a group are.
func golden(t *testing.T, group string) map[string]Tensor {
	t.Helper()
	all, _, err := Load(filepath.Join("testdata", "values.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(filepath.Join("testdata", "values.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string]Tensor{}
	for _, info := range f.Infos() { // Load leaves counters out
		if name, ok := strings.CutPrefix(info.Name, group+"/"); ok {
			if found[name], err = f.Read(info.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(found) == 0 || len(all) < len(found) {
		t.Fatalf("%d values of %s, %d in all", len(found), group, len(all))
	}
	return found
}

// TestGolden reads files that PyTorch, onnx and safetensors have written: both forms
// of torch.save, non-contiguous tensors, half precision, nested checkpoints, a
// module that was saved whole, one that was compiled, initialisers of every form.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file, group, form string
		others            []string // tensors that the group lacks
	}{
		{"tensors.pth", "tensors", "PyTorch, ZIP archive", nil},
		{"tensors_legacy.pth", "tensors", "PyTorch, pickle", nil},
		{"integers.pth", "integers", "PyTorch, ZIP archive", nil},
		{"integers_legacy.pth", "integers", "PyTorch, pickle", nil},
		{"checkpoint.pth", "checkpoint", "PyTorch, ZIP archive", []string{"optimizer."}},
		{"checkpoint_legacy.pth", "checkpoint", "PyTorch, pickle", []string{"optimizer."}},
		{"module.pth", "module", "PyTorch, ZIP archive", nil},
		{"script.pt", "module", "PyTorch, ZIP archive", nil},
		{"types.safetensors", "tensors", "safetensors", nil},
		{"plain.onnx", "onnx", "ONNX", []string{"shape"}},
		{"external.onnx", "onnx", "ONNX", []string{"shape"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			f.Integers = true
			want := golden(t, c.group)
			if f.Form() != c.form {
				t.Errorf("form is %q", f.Form())
			}
			for _, info := range f.Infos() {
				w, ok := want[info.Name]
				if !ok {
					if !slices.ContainsFunc(c.others, func(o string) bool { return strings.HasPrefix(info.Name, o) }) {
						t.Errorf("unexpected %s", info.Name)
					}
					continue
				}
				delete(want, info.Name)
				have, err := f.Read(info.Name)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(have.Shape, w.Shape) || !slices.Equal(have.Data, w.Data) {
					t.Errorf("%s: have %v %v, want %v %v", info.Name, have.Shape, have.Data, w.Shape, w.Data)
				}
			}
			for name := range want {
				t.Errorf("%s is missing", name)
			}
		})
	}
}

// TestShards reads what an index names, each tensor from the file that it says, and
// none that it does not name.
func TestShards(t *testing.T) {
	tensors, _, err := Load(filepath.Join("testdata", "model.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := golden(t, "tensors")
	if len(tensors) != 2 {
		t.Fatalf("%d tensors", len(tensors))
	}
	for _, have := range tensors {
		if w := want[have.Name]; !slices.Equal(have.Data, w.Data) {
			t.Errorf("%s: have %v, want %v", have.Name, have.Data, w.Data)
		}
	}
}

// TestCheckpointParts: a checkpoint's model is taken by itself, its moving average
// when it is asked for, and objects beside the tensors are named, not made.
func TestCheckpointParts(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "checkpoint.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if beside := f.Beside(); !slices.Equal(beside, []string{"__main__.Meta", "argparse.Namespace", "numpy._core.multiarray.scalar"}) {
		t.Errorf("beside the tensors: %v", beside)
	}
	want := []Info{{Name: "conv.weight", Shape: []int{3, 2, 1, 1}}}
	for word, name := range map[string]string{"": "model", "model": "model", "ema_model": "ema_model", "state_dict.ema_model": "ema_model"} {
		found, err := f.Find(want, word)
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := f.ReadFound(found)
		if err != nil {
			t.Fatal(err)
		}
		part := golden(t, "checkpoint")["state_dict."+name+".conv.weight"]
		if !slices.Equal(tensors[0].Data, part.Data) {
			t.Errorf("part %q: have %v, want %v", word, tensors[0].Data, part.Data)
		}
	}
	if _, err := f.Find(want, "teacher"); err == nil || !strings.Contains(err.Error(), `no part "teacher" in it; there is "state_dict.model", "state_dict.ema_model"`) {
		t.Errorf("have %v", err)
	}
}
