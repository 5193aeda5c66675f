package engine

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"t2sda/internal/protofield"
)

func TestSessionDescribesItsModel(t *testing.T) {
	e := open(t, Options{})
	s := accumulate(3).meta("classes", "road,sky").meta("empty", "").session(t, e, "acc")
	if s.Name() != "acc" || len(s.Inputs()) != 3 || s.Inputs()[1].Name != "a" || s.Outputs()[0].Name != "g_out" {
		t.Errorf("%s %v %v", s.Name(), s.Inputs(), s.Outputs())
	}
	s.Inputs()[0].Dims[0] = 9
	if s.Inputs()[0].Dims[0] != 3 {
		t.Error("Inputs gives away the session's own dimensions")
	}
	m := s.Metadata()
	if v, ok := m["empty"]; m["classes"] != "road,sky" || !ok || v != "" || len(m) != 2 {
		t.Errorf("metadata %v", m)
	}
	m["classes"] = ""
	if s.Metadata()["classes"] != "road,sky" {
		t.Error("Metadata gives away the session's own map")
	}
}

// TestVetDevice: whoever is asked about a model hears of the device that was found.
func TestVetDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "add.onnx")
	must(t, os.WriteFile(file, oneNode("Add", []int{1}, "a", "b"), 0o600))
	found, refused := "", errors.New("refused")
	e := open(t, Options{Device: "auto", Vet: func(_ string, _ []byte, device string) error {
		found = device
		return refused
	}})
	if _, err := e.OpenModel(file); !errors.Is(err, refused) || found != e.Info().Device {
		t.Errorf("%v, on %q, want %q", err, found, e.Info().Device)
	}
}

func TestOpenModel(t *testing.T) {
	e := open(t, Options{})
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, data, 0o644))
		return path
	}
	model := accumulate(2).bytes()
	s, err := e.OpenModel(write("acc.onnx", model))
	must(t, err)
	if s.Name() != "acc" {
		t.Errorf("name %s", s.Name())
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "gone.onnx"), "no such file"},
		{write("empty.onnx", nil), "the model is empty"},
		{write("text.onnx", []byte("# not a model, but a text\n")), "not an ONNX model"},
		{write("model.pth", []byte("PK\x03\x04\x14\x00\x00\x00archive/data.pkl")), "is a ZIP archive: want an ONNX model; of a network of PyTorch's, torch.onnx.export"},
		{write("png.onnx", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")), "not an ONNX model"},
		{write("truncated.onnx", model[:len(model)*2/3]), "not an ONNX model, or a truncated one"},
		{write("nograph.onnx", protofield.AppendVarint(nil, 1, 8)), "there is no graph in it"},
		{write("badop.onnx", newModel().node("n", "NoSuchOp", "x", "y").in("x", Float32, 1).out("y", Float32, 1).bytes()), "NoSuchOp"},
		{write("future.onnx", append(protofield.AppendBytes(nil, 8, protofield.AppendVarint(protofield.AppendBytes(nil, 1, nil), 2, 9999)), model...)), "does not accept the model"},
	} {
		_, err := e.OpenModel(c.path)
		wantError(t, err, c.path, c.want)
	}
	_, err = e.NewSession("broken", model[:20])
	wantError(t, err, "session broken: not an ONNX model")
	_, err = e.NewSession("none", nil)
	wantError(t, err, "session none: the model is empty")
}

// A session may leave outputs out, those of a type that tensors cannot hold too.
func TestOpenModelWithChosenOutputs(t *testing.T) {
	const stringType = 8
	e := open(t, Options{})
	path := filepath.Join(t.TempDir(), "two.onnx")
	must(t, os.WriteFile(path, newModel().node("c", "Cast", "x", "wide", "to", stringType).node("n", "Neg", "x", "y").
		in("x", Float32, 2).out("wide", stringType, 2).out("y", Float32, 2).bytes(), 0o644))
	s, err := e.OpenModelWith(path, SessionOptions{Outputs: []string{"y"}})
	must(t, err)
	got, err := s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, []float32{1, 2}, 2)})
	must(t, err)
	if len(got) != 1 || got["y"].Floats()[1] != -2 || len(s.Outputs()) != 1 {
		t.Errorf("%v of outputs %v", got, s.Outputs())
	}
	_, err = e.OpenModelWith(path, SessionOptions{Outputs: []string{"z"}})
	wantError(t, err, path, `no output "z"`, `"wide", "y"`)
}

// A session may run another model than the one that was read; its name stays.
func TestOpenModelEdited(t *testing.T) {
	e := open(t, Options{})
	path := filepath.Join(t.TempDir(), "read.onnx")
	model := func(op string) []byte {
		return newModel().node("n", op, "x", "y").in("x", Float32, 2).out("y", Float32, 2).bytes()
	}
	must(t, os.WriteFile(path, model("Neg"), 0o644))
	for want, edited := range map[float32][]byte{-2: nil, 2: model("Abs")} {
		s, err := e.OpenModelWith(path, SessionOptions{Edit: func(read []byte, metadata map[string]string) []byte {
			if !bytes.Equal(read, model("Neg")) || len(metadata) > 0 {
				t.Errorf("%d bytes are edited, with metadata %v", len(read), metadata)
			}
			return edited
		}})
		must(t, err)
		got, err := s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, []float32{1, 2}, 2)})
		must(t, err)
		if y := got["y"].Floats()[1]; y != want || s.Name() != "read" {
			t.Errorf("session %s gives %v, want %v", s.Name(), y, want)
		}
	}
}

func TestElementTypesThatAreNotSupported(t *testing.T) {
	const stringType = 8
	e := open(t, Options{})
	s := newModel().node("c", "Cast", "x", "y", "to", stringType).in("x", Float32, 2).out("y", stringType, 2).session(t, e, "cast")
	_, err := s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, make([]float32, 2), 2)})
	wantError(t, err, "session cast", `output "y"`, "string is not supported")
	s = newModel().node("c", "Cast", "x", "y", "to", stringType).in("x", Float32, -1).out("y", stringType, -1).session(t, e, "free")
	_, err = s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, make([]float32, 2), 2)})
	wantError(t, err, "session free", `output "y"`, "not supported")
}

func TestRunErrorsNameTheNode(t *testing.T) {
	e := open(t, Options{})
	s := newModel().node("encoder/Gather_7", "Gather", "x i", "y").
		in("x", Float32, 3).in("i", Int64, 1).out("y", Float32, 1).session(t, e, "gather")
	_, err := s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, make([]float32, 3), 3), "i": tensor(t, []int64{7}, 1)})
	wantError(t, err, "session gather", "encoder/Gather_7")
}

func TestProfile(t *testing.T) {
	dir := t.TempDir()
	e := open(t, Options{ProfilePrefix: filepath.Join(dir, "made", "prof"), OptimizationLevel: OptimizeNone})
	for range 2 { // equal names must not share a file
		s := accumulate(8).session(t, e, "student/mix")
		x := tensor(t, make([]float32, 64), 8, 8)
		for range 3 {
			_, err := s.Run(t.Context(), map[string]*Tensor{"g_in": x, "a": x, "b": x})
			must(t, err)
		}
		must(t, s.Close())
		p, err := ReadProfile(s.ProfileFile())
		must(t, err)
		if p.Runs != 3 || len(p.Ops) != 2 || len(p.Nodes) != 2 || p.Ops[0].Calls != 3 {
			t.Errorf("profile %+v", p)
		}
		if p.Total != p.Ops[0].Time+p.Ops[1].Time {
			t.Errorf("the rows do not sum to the total: %+v", p)
		}
		scopes := p.Scopes(1)
		if len(scopes) != 2 || (scopes[0].Name != "mm" && scopes[1].Name != "mm") {
			t.Errorf("scopes %+v", scopes)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "made", "prof-student-mix-*.json"))
	must(t, err)
	if len(files) != 2 {
		t.Errorf("profiles %v", files)
	}
	_, err = Open(Options{ProfilePrefix: filepath.Join(files[0], "prof")}) // a file where a folder should be
	wantError(t, err, "profile "+files[0], "not a directory")
}

func TestProfileScopes(t *testing.T) {
	p := &Profile{Nodes: []ProfileRow{
		{"encoder.block1.0/Conv_3", 2, 5}, {"encoder.block2.1/Conv_9", 2, 7}, {"head/Gemm_1", 1, 4}, {"fused", 1, 1},
	}}
	one := p.Scopes(1)
	if len(one) != 3 || one[0] != (ProfileRow{"encoder", 4, 12}) || one[1].Name != "head" || one[2].Name != "" {
		t.Errorf("depth 1: %v", one)
	}
	if two := p.Scopes(2); len(two) != 4 || two[0] != (ProfileRow{"encoder.block2", 2, 7}) {
		t.Errorf("depth 2: %v", two)
	}
	bad := filepath.Join(t.TempDir(), "p.json")
	must(t, os.WriteFile(bad, []byte("[{"), 0o644))
	_, err := ReadProfile(bad)
	wantError(t, err, "read profile", bad)
	_, err = ReadProfile(bad + "x")
	wantError(t, err, "read profile", bad+"x")
}
