package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/filekind"
)

// File is an open file of weights, whose tensors are read one by one.
type File struct {
	// Integers lets Read convert integers and booleans, by value.
	Integers bool

	path     string
	form     string // in words
	size     int64  // of all files, bytes
	tensors  []stored
	index    map[string]int // into tensors
	metadata map[string]string
	beside   []string // classes of Python objects beside the tensors
	isShard  bool
	files    []io.Closer
	others   map[string]*io.SectionReader // files beside it, by name
	parts    []part                       // models in it, once they are asked for
	readings []candidate                  // of them, by every convention
}

// source is what a File reads from.
type source interface {
	io.ReaderAt
	io.Closer
}

// Open opens the weights at path: a safetensors or PyTorch file, an ONNX model, an
// index of several files, or a folder that holds one of these under the name that
// Hugging Face gives it. What the file says of its tensors is checked against what
// it holds. The error names the file, the tensor where one is at fault, and what
// the file is where it is something else.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if st.IsDir() {
		if err := f.Close(); err != nil {
			return nil, err
		}
		return openFolder(path)
	}
	w, err := newFile(path, f, st.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return w, nil
}

var errEmpty = errors.New("is empty: 0 bytes long, copy or download it again")

// newFile opens what lies behind f, of size bytes, as what its first bytes say.
func newFile(path string, f source, size int64) (*File, error) {
	if size == 0 {
		return nil, errEmpty
	}
	w := &File{path: path, size: size, files: []io.Closer{f}}
	if err := w.readFrom(f); err != nil {
		for _, shard := range w.files[1:] {
			err = errors.Join(err, shard.Close())
		}
		return nil, err
	}
	return w, nil
}

// readFrom reads what the file says of its tensors.
func (f *File) readFrom(r io.ReaderAt) error {
	head := make([]byte, min(f.size, 32))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	kind := filekind.Of(head)
	sized := len(head) >= 8 && binary.LittleEndian.Uint64(head) < 1<<32
	if sized {
		kind = "" // the size of a header, not what a file of another kind begins with
	}
	var err error
	switch {
	case kind == filekind.Zip:
		err = asKind(kind, f.readTorchArchive(r))
	case kind == filekind.TorchPickle:
		err = asKind(kind, f.readTorchPickle(r))
	case kind != "":
		err = fmt.Errorf("is %s: want a safetensors or PyTorch file, or an ONNX model", kind)
	case head[0] == '{' && !sized: // of which some begin with this byte, too
		err = f.readIndex(r)
	case strings.EqualFold(filepath.Ext(f.path), ".onnx") || isONNX(head):
		err = asKind("an ONNX model", f.readONNX(r))
	default:
		err = f.readSafetensors(r)
	}
	if err != nil {
		return err
	}
	return f.check()
}

func asKind(kind filekind.Kind, err error) error {
	if err != nil {
		return fmt.Errorf("is %s: %w", kind, err)
	}
	return nil
}

// most is the number of times that all tensors together may show the bytes of the
// file: weights that layers share stand in it once.
const most = 8

// maxTensors is the largest number of tensors of a file. A checkpoint with three
// copies of the largest network and AdamW's moments has about five thousand.
const maxTensors = 100_000

// check checks the tensors and notes their names.
func (f *File) check() error {
	if len(f.tensors) > maxTensors {
		return fmt.Errorf("holds %d tensors, the limit is %d", len(f.tensors), maxTensors)
	}
	f.index = make(map[string]int, len(f.tensors))
	total := int64(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		if _, ok := f.index[t.Name]; ok {
			return fmt.Errorf("tensor %q occurs twice", t.Name)
		}
		f.index[t.Name] = i
		if err := t.check(); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		n, err := t.count()
		if err != nil {
			return err
		}
		if total += n * formats[t.Type].size; total > most*f.size+expandable {
			return fmt.Errorf("its %d bytes are to hold tensors of more than %d times that", f.size, most)
		}
	}
	if len(f.tensors) == 0 {
		return f.holdsNone()
	}
	return nil
}

// holdsNone says what a file holds that has no tensors.
func (f *File) holdsNone() error {
	if len(f.beside) == 0 {
		return fmt.Errorf("holds no tensors (read as %s)", f.form)
	}
	return fmt.Errorf("holds no tensors, only %s: want the file that torch.save(model.state_dict(), …) writes", shortList(f.beside, 5))
}

// shortList joins at most n names.
func shortList(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// Close closes the file.
func (f *File) Close() error {
	var errs []error
	for _, c := range f.files {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// open opens a file that this one names, which must lie in its folder or below,
// and returns it with its size. It is closed with f.
func (f *File) open(name string) (io.ReaderAt, int64, error) {
	if r, ok := f.others[name]; ok {
		return r, r.Size(), nil
	}
	file, err := os.OpenInRoot(filepath.Dir(f.path), name)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: it belongs beside %s", err, filepath.Base(f.path))
	}
	f.files = append(f.files, file)
	st, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	if f.others == nil {
		f.others = map[string]*io.SectionReader{}
	}
	f.others[name] = io.NewSectionReader(file, 0, st.Size())
	f.size += st.Size()
	return f.others[name], st.Size(), nil
}

// Path returns the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Form says in words what kind of file it is.
func (f *File) Form() string { return f.form }

// Infos describes all tensors, in the file's order.
func (f *File) Infos() []Info {
	infos := make([]Info, len(f.tensors))
	for i, t := range f.tensors {
		infos[i] = t.Info
	}
	return infos
}

// Metadata returns the free entries of a safetensors header, nil when there are none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Beside lists the classes of the Python objects that a PyTorch file holds beside
// its tensors. They are not read.
func (f *File) Beside() []string { return f.beside }

// Read returns one tensor as float32; float16, bfloat16 and float64 are converted.
// Other types are an error unless Integers allows them, as is a name that does not
// exist.
func (f *File) Read(name string) (Tensor, error) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: no tensor %q", f.path, name)
	}
	data, err := f.tensors[i].read(f.Integers)
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: tensor %q %w", f.path, name, err)
	}
	return Tensor{Name: name, Shape: slices.Clone(f.tensors[i].Shape), Data: data}, nil
}

// errNoText is the error of a name that is no text: damaged, or in another encoding.
var errNoText = errors.New("its name is not UTF-8")

// maxName is the longest name of a tensor, bytes.
const maxName = 1024

// counter ends the names of batch norms' int64 step counters in PyTorch's state
// dictionaries, which no model needs.
const counter = ".num_batches_tracked"

// Load reads all tensors of the file at path in its order, and the metadata.
// PyTorch's batch counters are left out; any other tensor that is not of floating
// point is an error.
func Load(path string) (_ []Tensor, _ map[string]string, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tensors, err := f.all()
	return tensors, f.metadata, err
}

// Decode is [Load] of the size bytes that r holds; name begins its errors. Of
// safetensors, bytes are asked for from front to back, those of left-out counters
// not at all.
func Decode(name string, r io.ReaderAt, size int64) ([]Tensor, map[string]string, error) {
	f, err := newFile(name, unowned{r}, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	tensors, err := f.all()
	return tensors, f.metadata, err
}

// unowned is a source that another closes.
type unowned struct{ io.ReaderAt }

func (unowned) Close() error { return nil }

// all reads every tensor but PyTorch's batch counters.
func (f *File) all() ([]Tensor, error) {
	var tensors []Tensor
	for _, info := range f.tensors {
		if strings.HasSuffix(info.Name, counter) {
			continue
		}
		t, err := f.Read(info.Name)
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// sortedKeys returns a set's members in order.
func sortedKeys[V any](set map[string]V) []string { return slices.Sorted(maps.Keys(set)) }
