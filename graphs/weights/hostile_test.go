package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// Pickles by hand; protocol 2.

func pText(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pInt(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func pTuple(items ...string) string { return "(" + strings.Join(items, "") + "t" }

func pInts(ns ...int64) string {
	items := make([]string, len(ns))
	for i, n := range ns {
		items[i] = pInt(n)
	}
	return pTuple(items...)
}

func pStorage(key string, n int64) string {
	return pTuple(pText("storage"), "ctorch\nFloatStorage\n", pText(key), pText("cpu"), pInt(n)) + "Q"
}

// pTensor is a float32 tensor that views storage key, of n elements.
func pTensor(key string, n, offset int64, shape, strides string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n" + pTuple(pStorage(key, n), pInt(offset), shape, strides, "\x89", "}") + "R"
}

func pDict(pairs ...string) string { return "}(" + strings.Join(pairs, "") + "u" }

func pickled(body string) string { return "\x80\x02" + body + "." }

// archive is a PyTorch file with the pickle and storages 0, 1, … .
func archive(t testing.TB, body string, method uint16, storages ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, text string) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("archive/data.pkl", pickled(body))
	for i, s := range storages {
		add(fmt.Sprintf("archive/data/%d", i), s)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func stored0(t testing.TB, body string, storages ...string) string {
	return archive(t, body, zip.Store, storages...)
}

// legacy is a file of torch.save before version 1.6.
func legacy(body, keys, storages string) string {
	magic := pickled("\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")
	return magic + pickled("M\xe9\x03") + pickled(pDict(pText("little_endian"), "\x88")) + pickled(body) + pickled(keys) + storages
}

// overlapping lets the archive's second storage lie where the first does.
func overlapping(t testing.TB) string {
	b := []byte(stored0(t, pDict(
		pText("a"), pTensor("0", 1, 0, pInts(1), pInts(1)), pText("b"), pTensor("1", 1, 0, pInts(1), pInts(1))), "abcd", "efgh"))
	var at []int // of the central directory's entries, where each has the place of its member
	for i := 0; i+4 < len(b); i++ {
		if string(b[i:i+4]) == "PK\x01\x02" {
			at = append(at, i+42)
		}
	}
	copy(b[at[2]:at[2]+4], b[at[1]:at[1]+4])
	return string(b)
}

// claiming lets data.pkl be of 2³¹ bytes.
func claiming(t testing.TB) string {
	b := []byte(stored0(t, "N"))
	i := bytes.Index(b, []byte("PK\x01\x02"))
	for _, at := range []int{i + 20, i + 24} {
		binary.LittleEndian.PutUint32(b[at:], 1<<31)
	}
	return string(b)
}

func pb(num protowire.Number, content string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), content))
}

func pbInt(num protowire.Number, n uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), n))
}

// onnxModel is a model with one initialiser.
func onnxModel(tensor string) string {
	return pbInt(1, 8) + pb(2, "test") + pb(modelGraph, pb(graphInitializer, pb(tensorName, "w")+pbInt(tensorType, 1)+tensor))
}

func outside(location, offset string) string {
	return onnxModel(pbInt(tensorDims, 2) + pbInt(tensorPlace, 1) +
		pb(tensorExternal, pb(entryKey, "location")+pb(entryValue, location)) + pb(tensorExternal, pb(entryKey, "offset")+pb(entryValue, offset)))
}

// hostile lists files that are to be refused, each with its message.
func hostile(t testing.TB) map[string]struct{ text, want string } {
	one := func(shape, strides string) string {
		return stored0(t, pDict(pText("w"), pTensor("0", 2, 0, shape, strides)), "abcdefgh")
	}
	laughs := "]q\x00" + strings.Repeat("(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00tq\x00", 12)
	const many = 20_000
	keys := "](}q\x00(" + strings.Repeat("NN", many) + "u" + strings.Repeat("h\x00", many) + "e"
	noPairs := "](ccollections\nOrderedDict\n(](" + strings.Repeat("N", many) + "etRq\x00" + strings.Repeat("h\x00", many) + "e"
	states := "](ccollections\nCounter\n)R}(" + strings.Repeat("NN", many) + "ubq\x00" + strings.Repeat("h\x00", many) + "e"
	const fromType = "ctorch._tensor\n_rebuild_from_type_v2\n"
	types := "N"
	for range 200 {
		types = pTuple(fromType, "N", types)
	}
	ones := slices.Repeat([]int64{1}, maxRank+1)
	same := func(n int) string {
		var pairs []string
		for i := range n {
			pairs = append(pairs, pText(fmt.Sprintf("w%d", i)), pTensor("0", 250_000, 0, pInts(250_000), pInts(1)))
		}
		return stored0(t, pDict(pairs...), strings.Repeat("\x00", 1_000_000))
	}
	return map[string]struct{ text, want string }{
		"harmful":       {stored0(t, "cos\nsystem\n"+pTuple(pText("touch harm"))+"R"), "asks for os.system, which no weights need"},
		"harmful2":      {legacy("c__builtin__\neval\n"+pTuple(pText("1"))+"R", "]", ""), "asks for __builtin__.eval"},
		"bomb":          {archive(t, pDict(pText("w"), strings.Repeat("N", 1)), zip.Deflate), "is compressed, which torch.save never does"},
		"claims":        {claiming(t), "its data.pkl would take 2147483648 bytes"},
		"text":          {stored0(t, "X\xff\xff\xff\x7f"), "truncated: the pickle goes on where the file ends"},
		"text64":        {stored0(t, "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "truncated: the pickle goes on where the file ends"},
		"long":          {stored0(t, "\x8b\xff\xff\xff\x7f"), "an integer of 2147483647 bytes"},
		"opcode":        {stored0(t, "i"), `opcode 'i' is none that weights need`},
		"stack":         {stored0(t, "0"), "nothing is on the stack"},
		"below mark":    {stored0(t, "N(0"), "nothing is on the stack"},
		"no mark":       {stored0(t, "t"), "there is no mark"},
		"memo":          {stored0(t, "h\x07"), "nothing is remembered under 7"},
		"protocol":      {stored0(t, "\x80\x09"), "protocol 9, want 2 to 5"},
		"call":          {stored0(t, "NNR"), "a call with a <nil> in place of arguments"},
		"cycle":         {stored0(t, "]q\x00h\x00a"), "that hold themselves"},
		"cyclic dict":   {stored0(t, "}q\x00"+pText("a")+"h\x00s"), "that hold themselves"},
		"deep":          {stored0(t, strings.Repeat("]", 100_000)+strings.Repeat("a", 99_999)), "objects within objects"},
		"laughs":        {stored0(t, laughs), "more objects than the file has bytes for"},
		"keys":          {stored0(t, keys), "more objects than the file has bytes for"},
		"no pairs":      {stored0(t, noPairs), "more objects than the file has bytes for"},
		"states":        {stored0(t, states), "more objects than the file has bytes for"},
		"deep types":    {stored0(t, fromType+types+"R"), "objects within objects"},
		"rank":          {one(pInts(ones...), pInts(ones...)), `tensor "w": malformed: its shape: 65 dimensions, at most 64 are taken`},
		"no shape":      {one("N", pInts(1)), "malformed: its shape: no list of numbers"},
		"no strides":    {one(pInts(1), pTuple("N")), "malformed: its strides: no list of numbers"},
		"name":          {stored0(t, pDict(pText(strings.Repeat("n", 2000)), "N")), "a name of more than 1024 bytes"},
		"shape":         {one(pInts(1<<40, 1<<40), pInts(1, 1)), `tensor "w": shape [1099511627776 1099511627776] has more elements than any file`},
		"negative":      {one(pInts(-1), pInts(1)), "shape [-1] is negative"},
		"expanded":      {one(pInts(1<<30), pInts(0)), "shows a storage of 2 elements many times over"},
		"beyond":        {one(pInts(3), pInts(1)), "goes beyond its storage of 8 bytes"},
		"stride":        {one(pInts(2, 2), pInts(1<<40, 1)), "goes beyond its storage"},
		"huge stride":   {one(pInts(1<<20, 1<<20), pInts(1<<60, 1)), "lead beyond any file"},
		"back":          {one(pInts(2), pInts(-1)), "strides [-1] are negative"},
		"ranks":         {one(pInts(2), pInts(1, 1)), "shape [2] has strides [1 1]"},
		"no storage":    {stored0(t, pDict(pText("w"), pTensor("7", 2, 0, pInts(2), pInts(1)))), `storage "7": is not in the archive`},
		"short":         {stored0(t, pDict(pText("w"), pTensor("0", 9, 0, pInts(1), pInts(1))), "abcdefgh"), `truncated: storage "0" has 8 bytes of 36`},
		"shared":        {same(100), "are to hold tensors of more than 8 times that"},
		"overlap":       {overlapping(t), "two storages share the bytes"},
		"twice":         {stored0(t, pDict(pText("w"), pTensor("0", 2, 0, pInts(2), pInts(1)), pText("w"), pTensor("0", 2, 0, pInts(2), pInts(1))), "abcdefgh"), `tensor "w" occurs twice`},
		"nothing":       {stored0(t, pDict(pText("names"), "]")), "holds no tensors"},
		"config":        {stored0(t, "cargparse\nNamespace\n)\x81}b"), "holds no tensors, only argparse.Namespace: want the file that torch.save(model.state_dict(), …) writes"},
		"other zip":     {strings.ReplaceAll(stored0(t, "N"), "data.pkl", "data.txt"), "is a ZIP archive: no PyTorch file, it holds no data.pkl"},
		"other pickle":  {"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01u.", "a pickle of something else, not by torch.save"},
		"legacy size":   {legacy(pDict(pText("w"), pTensor("0", 2, 0, pInts(2), pInts(1))), "]("+pText("0")+"e", "\x00\x00\x00\x00\x00\x00\x00\x40abcd"), `storage "0" would take 4611686018427387904 elements of 4 bytes, 4 bytes are left`},
		"legacy cut":    {legacy(pDict(pText("w"), pTensor("0", 2, 0, pInts(2), pInts(1))), "]("+pText("0")+"e", ""), `truncated: storage "0" begins at byte`},
		"legacy keys":   {legacy(pDict(pText("w"), pTensor("0", 2, 0, pInts(2), pInts(1))), "N", ""), "no list of storages follows the objects"},
		"legacy twice":  {legacy(pDict(pText("w"), pTensor("0", 0, 0, pInts(0), pInts(1))), "]("+pText("0")+pText("0")+"e", strings.Repeat("\x00", 16)), `storage "0" is listed and not used once`},
		"legacy big":    {pickled("\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19") + pickled("M\xe9\x03") + pickled(pDict(pText("little_endian"), "\x89")), "big-endian"},
		"onnx graph":    {pbInt(1, 8) + pb(2, "test"), "there is no graph in it"},
		"onnx cut":      {onnxModel(pbInt(tensorDims, 2))[:17], "is an ONNX model: truncated: a field takes"},
		"onnx dims":     {onnxModel(pbInt(tensorDims, 1<<40)), "more elements than any file"},
		"onnx data":     {onnxModel(pbInt(tensorDims, 1<<30) + pb(tensorRaw, "abcd")), "goes beyond its storage of 4 bytes"},
		"onnx type":     {onnxModel(pbInt(tensorType, 99)), "elements of type 99, which are not known"},
		"onnx away":     {outside("../secret", "0"), "path escapes from parent"},
		"onnx absolute": {outside("/etc/passwd", "0"), "path escapes from parent"},
		"onnx missing":  {outside("weights.bin", "0"), "it belongs beside onnx missing"},
		"onnx offset":   {outside("onnx offset.onnx", "99999"), "truncated: bytes 99999"},
		"index":         {`{"weight_map": {}}`, "not an index of weights: it has no weight_map"},
		"index JSON":    {`{"weight_map": 1`, "not an index of weights"},
		"index away":    {`{"weight_map": {"w": "../other.safetensors"}}`, "path escapes from parent"},
		"index itself":  {`{"weight_map": {"w": "index itself.onnx"}}`, "is an index of weights where weights should be"},
	}
}

// TestHostile: files that are malformed, or made to harm, are refused by message,
// and without allocating more than their size justifies.
func TestHostile(t *testing.T) {
	for name, c := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name+".onnx") // the extension decides only where the bytes do not
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Load(path)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("have %v, want the path and %q", err, c.want)
			}
			const base, factor = 8 << 20, 400
			if used := after.TotalAlloc - before.TotalAlloc; used > base+factor*uint64(len(c.text)) {
				t.Errorf("%d bytes were allocated over a file of %d", used, len(c.text))
			}
		})
	}
}

// TestHostileIndex: an index and the files that it names must agree.
func TestHostileIndex(t *testing.T) {
	dir := t.TempDir()
	if err := Save(filepath.Join(dir, "part.safetensors"), sample(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty.bin"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for shard, want := range map[string]string{
		"part.safetensors": `part.safetensors: tensor "w" is not in it, as the index says`,
		"none.bin":         "none.bin: openat none.bin: no such file or directory: it belongs beside model.safetensors.index.json",
		"empty.bin":        "empty.bin: is empty",
	} {
		path := filepath.Join(dir, "model.safetensors.index.json")
		if err := os.WriteFile(path, []byte(`{"weight_map": {"w": "`+shard+`"}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder without model.safetensors, ") {
		t.Errorf("have %v", err)
	}
}

// FuzzOpen: whatever the bytes, opening and reading ends, without panic, tensors
// take no more than the file justifies, and what was read is, bit for bit, what is read
// of it once it is written.
func FuzzOpen(f *testing.F) {
	for _, c := range hostile(f) {
		if len(c.text) < 1<<14 {
			f.Add([]byte(c.text))
		}
	}
	for _, pattern := range []string{"*.pth", "*.pt", "*.onnx", "types.safetensors", "*.json"} {
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			if len(text) < 1<<14 {
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := newFile(filepath.Join(t.TempDir(), "w"), unowned{bytes.NewReader(text)}, int64(len(text)))
		if err != nil {
			return
		}
		w.Integers = true
		total := 0
		var tensors []Tensor
		for _, info := range w.Infos() {
			if tensor, err := w.Read(info.Name); err == nil {
				total += len(tensor.Data)
				tensors = append(tensors, tensor)
			}
		}
		checkEncoded(t, tensors)
		if total > most*len(text)+expandable {
			t.Errorf("%d elements from %d bytes", total, len(text))
		}
		w.Describe()
		_, _ = w.Find([]Info{{"backbone.block1.0.attn.kv.weight", []int{64, 32}, ""}}, "")
	})
}

// TestHeaderLikeText: the size of a safetensors file's header may begin with the byte of a brace, as an
// index of weights does.
func TestHeaderLikeText(t *testing.T) {
	header := fmt.Sprintf("%-123s", `{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`)
	text := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if text[0] != '{' {
		t.Fatalf("the file begins with %q", text[0])
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, slices.Concat(text, []byte(header), make([]byte, 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	tensors, _, err := Load(path)
	if err != nil || len(tensors) != 1 || tensors[0].Name != "w" {
		t.Errorf("have %v, %v", tensors, err)
	}
}

// checkEncoded writes tensors as safetensors and reads them back.
func checkEncoded(t *testing.T, tensors []Tensor) {
	t.Helper()
	tensors = slices.DeleteFunc(tensors, func(t Tensor) bool { return strings.HasSuffix(t.Name, counter) })
	var b bytes.Buffer
	if err := Encode(&b, tensors, nil); err != nil || len(tensors) == 0 {
		return // names that no file takes
	}
	again, _, err := Decode("again", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || len(again) != len(tensors) {
		t.Fatalf("%d tensors of %d are read again: %v", len(again), len(tensors), err)
	}
	byName := map[string]Tensor{}
	for _, have := range again {
		byName[have.Name] = have
	}
	for _, want := range tensors {
		have := byName[want.Name]
		bits := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
		if !slices.Equal(have.Shape, want.Shape) || !slices.EqualFunc(have.Data, want.Data, bits) {
			t.Errorf("tensor %q is another one", want.Name)
		}
	}
}

// TestManyModels: names of more models than any checkpoint holds are refused, before
// each is read by every convention.
func TestManyModels(t *testing.T) {
	var infos []Info
	for i := range maxParts {
		infos = append(infos, Info{Name: strings.Repeat("model.", i) + "norm.weight", Shape: []int{1}})
	}
	parts, err := partsOf(infos)
	if err != nil || len(parts) != maxParts {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	infos = append(infos, Info{Name: strings.Repeat("net.", maxParts) + "norm.weight", Shape: []int{1}})
	if _, err := partsOf(infos); err == nil || !strings.Contains(err.Error(), "more than 64 models") {
		t.Errorf("have %v", err)
	}
}
