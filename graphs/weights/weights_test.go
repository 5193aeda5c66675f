package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() []Tensor {
	return []Tensor{
		{"a.weight", []int{2, 3}, []float32{1, -2, 3.5, math.MaxFloat32, math.SmallestNonzeroFloat32, 0}},
		{"b", []int{}, []float32{7}},
		{"c", []int{0, 4}, []float32{}},
		{"ü \"quoted\"", []int{1}, []float32{float32(math.Inf(-1))}},
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	want, metadata := sample(), map[string]string{"format": "pt", "classes": "road, sky"}
	if err := Save(path, want, metadata); err != nil {
		t.Fatal(err)
	}
	got, m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(metadata, m); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(sample(), want); d != "" {
		t.Errorf("Save changed its input: %s", d)
	}
}

func TestSaveIsDeterministic(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	reversed := sample()
	reversed[0], reversed[3] = reversed[3], reversed[0]
	for path, tensors := range map[string][]Tensor{a: sample(), b: reversed} {
		if err := Save(path, tensors, map[string]string{"x": "1", "y": "2"}); err != nil {
			t.Fatal(err)
		}
	}
	x, errX := os.ReadFile(a)
	y, errY := os.ReadFile(b)
	if err := errors.Join(errX, errY); err != nil || !bytes.Equal(x, y) {
		t.Errorf("files of %d and %d bytes differ, %v", len(x), len(y), err)
	}
}

func TestFileReadsOneTensor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := Save(path, sample(), nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := []Info{{"a.weight", []int{2, 3}, "float32"}, {"b", []int{}, "float32"}, {"c", []int{0, 4}, "float32"}, {"ü \"quoted\"", []int{1}, "float32"}}
	if d := cmp.Diff(want, f.Infos()); d != "" {
		t.Error(d)
	}
	if x, err := f.Read("b"); err != nil || !cmp.Equal(x, sample()[1]) {
		t.Errorf("%v, %v", x, err)
	}
	if _, err := f.Read("z"); err == nil || !strings.Contains(err.Error(), `w.safetensors: no tensor "z"`) {
		t.Errorf("got %v", err)
	}
	if f.Metadata() != nil {
		t.Errorf("metadata %v", f.Metadata())
	}
}

func TestSaveRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := func(name string, shape ...int) Tensor { return Tensor{name, shape, []float32{1}} }
	for _, c := range []struct {
		tensors []Tensor
		want    string
	}{
		{[]Tensor{one("x", 2)}, `tensor "x" has shape [2] but 1 elements`},
		{[]Tensor{one("x", -1)}, `tensor "x" has shape [-1]`},
		{[]Tensor{one("x", 1), one("x", 1)}, `tensor "x" occurs twice`},
		{[]Tensor{one("", 1)}, `cannot be called ""`},
		{[]Tensor{one("__metadata__", 1)}, `cannot be called "__metadata__"`},
	} {
		err := Save(path, c.tensors, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %s and %q", err, path, c.want)
		}
	}
	if err := Save(filepath.Join(path, "below a file"), sample(), nil); err == nil {
		t.Error("no error for a folder that is a file")
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != "old" {
		t.Errorf("the old file is now %q, %v", old, err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// file returns the bytes of a safetensors file with the given header and n bytes of data.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

func TestLoadRefuses(t *testing.T) {
	one := `{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	for _, c := range []struct {
		name, want string
		content    []byte
	}{
		{"empty", "is empty: 0 bytes long, copy or download it again", nil},
		{"huge header", "not a safetensors file, which begins with the size of its header", []byte("BBBBBBBB")},
		{"cut header", "truncated: the header takes 54 bytes, the file has 20", file(one, 8)[:28]},
		{"cut data", `truncated: tensor "x" ends at byte 8 of 3`, file(one, 3)},
		{"too long", "2 bytes follow the last tensor", file(one, 10)},
		{"no JSON", "not a safetensors header", file("hello", 0)},
		{"type", `"x"`, file(`{"x":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}}`, 8)},
		{"integers", `tensor "x" holds int64, want floating point numbers`, file(`{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8)},
		{"shape", `tensor "x" of shape [3], type F32, takes 8 bytes`, file(`{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8)},
		{"overflow", `tensor "x"`, file(`{"x":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}`, 8)},
		{"gap", `tensor "x" lies at bytes 4 to 12, expected from 0`, file(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12)},
		{"negative", `"x"`, file(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,-8]}}`, 8)},
	} {
		path := filepath.Join(t.TempDir(), c.name+".safetensors")
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want the path and %q", c.name, err, c.want)
		}
	}
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestLoadConverts reads the other floating types, and leaves PyTorch's batch counters out.
func TestLoadConverts(t *testing.T) {
	header := `{"bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},` +
		`"h":{"dtype":"F16","shape":[5],"data_offsets":[16,26]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[26,28]}}`
	b := file(header, 8)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(-0.1))
	for _, h := range []uint16{0x3c00, 0xc000, 0x7bff, 0x0001, 0xfc00} { // 1, −2, 65504, 2⁻²⁴, −∞
		b = binary.LittleEndian.AppendUint16(b, h)
	}
	b = binary.LittleEndian.AppendUint16(b, 0x3fc0) // 1.5
	path := filepath.Join(t.TempDir(), "w")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, _, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Tensor{
		{"d", []int{1}, []float32{-0.1}},
		{"h", []int{5}, []float32{1, -2, 65504, 1.0 / (1 << 24), float32(math.Inf(-1))}},
		{"b", []int{1}, []float32{1.5}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if x := half(0x7e00); x == x {
		t.Errorf("NaN became %g", x)
	}
}

func TestAssign(t *testing.T) {
	dst := func() []Tensor {
		return []Tensor{{"x", []int{2}, make([]float32, 2)}, {"y", []int{1, 2}, make([]float32, 2)}}
	}
	x, y := Tensor{"x", []int{2}, []float32{1, 2}}, Tensor{"y", []int{1, 2}, []float32{3, 4}}
	d := dst()
	if err := Assign("f", d, []Tensor{y, x}); err != nil || !cmp.Equal(d, []Tensor{x, y}) {
		t.Errorf("%v, %v", d, err)
	}
	for _, c := range []struct {
		given []Tensor
		want  string
	}{
		{[]Tensor{x}, `f: tensor "y" is missing`},
		{[]Tensor{x, y, {"z", nil, []float32{1}}}, `f: tensor "z" is unknown to this model`},
		{[]Tensor{x, {"y", []int{2}, []float32{3, 4}}}, `f: tensor "y" has shape [2], want [1 2]`},
		{[]Tensor{x, y, x}, `f: tensor "x" occurs twice`},
	} {
		d := dst()
		err := Assign("f", d, c.given)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if !cmp.Equal(d, dst()) {
			t.Errorf("%q: something was copied", c.want)
		}
	}
}

// TestForeignFiles: files that are taken for safetensors are told for what they
// are.
func TestForeignFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"mit_b0.pth":        {"PK\x03\x04\x14\x00archive/data.pkl", "mit_b0.pth: is a ZIP archive: damaged, or cut off: zip: not a valid zip file"},
		"old.pt":            {"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "old.pt: is a PyTorch file (a pickle): truncated: the pickle goes on where the file ends"},
		"pytorch_model.bin": {"\x80\x04\x95\x02\x01\x00\x00\x00\x00\x00\x00N.", "is a PyTorch file (a pickle): or rather a pickle of something else, not by torch.save"},
		"lfs.safetensors":   {"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"},
		"page.safetensors":  {"<!DOCTYPE html><html></html>", "a web page"},
		"cut.safetensors":   {"\x80\x02\x00\x00\x00\x00\x00\x00{", "truncated: the header takes 640 bytes"},
		"other.safetensors": {"\xff\xff\xff\xff\xff\xff\xff\xff12", "not a safetensors file, which begins with"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v, want … %s", name, err, c.want)
		}
	}
}
