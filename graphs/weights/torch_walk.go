package weights

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"t2sda/graphs/weights/pickle"
)

// Bounds of a walk through a pickle's objects, which may share parts or hold
// themselves.
const (
	maxVisits     = 1_000_000
	visitsPerByte = 4 // of the pickle, which takes a byte or more for every object
	maxDepth      = 100
	maxRank       = 64 // of a tensor: PyTorch's own bound
)

// torchWalk collects the tensors of a tree of Python objects by their paths, joined
// with dots: {"state_dict": {"a": tensor}} gives state_dict.a.
type torchWalk struct {
	open    func(key string) (io.ReaderAt, int64, error) // a storage, and its size
	tensors []stored
	beside  map[string]bool    // classes
	visits  int64              // that are left
	extents map[string]*extent // of storages that were opened
}

// newTorchWalk is for the objects of a pickle of so many bytes.
func newTorchWalk(bytes int64, open func(key string) (io.ReaderAt, int64, error)) *torchWalk {
	return &torchWalk{open: open, visits: min(visitsPerByte*bytes, maxVisits), beside: map[string]bool{}, extents: map[string]*extent{}}
}

// spend pays for looking at n objects. Whatever a loop goes through counts: parts may be shared, so that
// a small file has them looked at without end.
func (w *torchWalk) spend(n int) error {
	if w.visits -= int64(n); w.visits < 0 {
		return errors.New("malformed: more objects than the file has bytes for, or objects that hold themselves")
	}
	return nil
}

// walk collects what v, of the given path, holds.
func (w *torchWalk) walk(name string, v any, depth int) error {
	if err := w.spend(1); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("malformed: objects within objects, %d deep, or that hold themselves", maxDepth)
	}
	switch v := v.(type) {
	case *pickle.Dict:
		return w.dict(name, v, depth)
	case *pickle.List:
		return w.items(name, v.Items, depth)
	case pickle.Tuple:
		return w.items(name, v, depth)
	case *pickle.Object:
		return w.object(name, v, depth)
	}
	return nil
}

func (w *torchWalk) dict(name string, d *pickle.Dict, depth int) error {
	for i, k := range d.Keys {
		var part string
		switch k := k.(type) {
		case string:
			part = k
		case int64:
			part = strconv.FormatInt(k, 10)
		default:
			if err := w.spend(1); err != nil {
				return err
			}
			continue
		}
		path, err := joinPath(name, part)
		if err != nil {
			return err
		}
		if err := w.walk(path, d.Values[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *torchWalk) items(name string, items []any, depth int) error {
	for i, v := range items {
		path, err := joinPath(name, strconv.Itoa(i))
		if err != nil {
			return err
		}
		if err := w.walk(path, v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func joinPath(name, part string) (string, error) {
	if len(name)+len(part) >= maxName {
		return "", fmt.Errorf("malformed: a name of more than %d bytes", maxName)
	}
	if name == "" {
		return part, nil
	}
	return name + "." + part, nil
}

// object takes a tensor, or goes on with what an object holds.
func (w *torchWalk) object(name string, o *pickle.Object, depth int) error {
	class := o.Class()
	switch class {
	case rebuildTensor, rebuildTensor2, rebuildTensor3:
		return w.tensor(name, class, o.Args)
	case rebuildParameter, rebuildParameter2, parameterClass:
		if len(o.Args) > 0 {
			return w.walk(name, o.Args[0], depth+1)
		}
		return nil
	case rebuildFromType:
		if len(o.Args) > 2 {
			if args, ok := o.Args[2].(pickle.Tuple); ok {
				return w.walk(name, &pickle.Object{Callee: o.Args[0], Args: args}, depth+1)
			}
		}
		return nil
	case "collections.OrderedDict", "collections.defaultdict":
		return w.ordered(name, o, depth)
	}
	w.beside[class] = true
	if o.Dict != nil {
		if err := w.dict(name, o.Dict, depth+1); err != nil {
			return err
		}
	}
	return w.state(name, o.State, depth)
}

// ordered goes on with a dictionary that was made by a call: with pairs as its
// argument (Python 2), or key by key.
func (w *torchWalk) ordered(name string, o *pickle.Object, depth int) error {
	d := o.Dict
	if d == nil && len(o.Args) > 0 {
		list, ok := o.Args[len(o.Args)-1].(*pickle.List)
		if !ok {
			return nil
		}
		if err := w.spend(len(list.Items)); err != nil {
			return err
		}
		d = pairs(list)
	}
	if d == nil {
		return nil
	}
	return w.dict(name, d, depth+1)
}

// pairs reads [[key, value], …].
func pairs(list *pickle.List) *pickle.Dict {
	d := &pickle.Dict{}
	for _, item := range list.Items {
		var pair []any
		switch item := item.(type) {
		case *pickle.List:
			pair = item.Items
		case pickle.Tuple:
			pair = item
		}
		if len(pair) == 2 {
			d.Keys, d.Values = append(d.Keys, pair[0]), append(d.Values, pair[1])
		}
	}
	return d
}

// state goes on with an object's attributes. Whole models that were saved, rather
// than their state, hold their tensors as a torch.nn.Module does.
func (w *torchWalk) state(name string, state any, depth int) error {
	d, ok := state.(*pickle.Dict)
	if !ok {
		return nil
	}
	if err := w.spend(len(d.Keys)); err != nil { // for finding keys in it
		return err
	}
	if d.Get("_modules") == nil {
		return w.dict(name, d, depth+1)
	}
	for _, held := range []string{"_parameters", "_buffers", "_modules"} {
		if err := w.walk(name, d.Get(held), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// tensor adds a tensor by the arguments of the function that makes it.
func (w *torchWalk) tensor(name, function string, args pickle.Tuple) error {
	s, err := w.view(function, args)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	s.Name = cmp.Or(name, "tensor") // the file may hold nothing else
	w.tensors = append(w.tensors, s)
	return nil
}

func (w *torchWalk) view(function string, args pickle.Tuple) (s stored, err error) {
	if len(args) < 4 {
		return s, fmt.Errorf("malformed: %d arguments", len(args))
	}
	p, ok := args[0].(*pickle.Persistent)
	if !ok {
		return s, errors.New("malformed: it has no storage")
	}
	id, err := parseStorage(p.ID)
	if err != nil {
		return s, err
	}
	s.Type = id.kind
	if function == rebuildTensor3 && len(args) > dtypeArgument {
		g, _ := args[dtypeArgument].(pickle.Global)
		s.Type = DType(g.Name)
	}
	offset, ok := args[1].(int64)
	if !ok || offset < 0 || id.shift < 0 {
		return s, errors.New("malformed: its offset is no number from 0 up")
	}
	shape, err := sizes(args[2])
	if err != nil {
		return s, fmt.Errorf("malformed: its shape: %w", err)
	}
	if s.strides, err = sizes(args[3]); err != nil {
		return s, fmt.Errorf("malformed: its strides: %w", err)
	}
	s.offset = offset + id.shift
	for _, d := range shape {
		s.Shape = append(s.Shape, int(d))
	}
	s.data, s.size, err = w.storage(id)
	return s, err
}

func sizes(v any) ([]int64, error) {
	t, ok := v.(pickle.Tuple)
	if l, isList := v.(*pickle.List); isList {
		t, ok = l.Items, true
	}
	if !ok {
		return nil, errors.New("no list of numbers")
	}
	if len(t) > maxRank {
		return nil, fmt.Errorf("%d dimensions, at most %d are taken", len(t), maxRank)
	}
	out := make([]int64, len(t))
	for i, x := range t {
		if out[i], ok = x.(int64); !ok {
			return nil, errors.New("no list of numbers")
		}
	}
	return out, nil
}

// storage opens a storage and remembers where it lies.
func (w *torchWalk) storage(id storageID) (io.ReaderAt, int64, error) {
	if e := w.extents[id.key]; e != nil {
		return e, e.Size(), nil
	}
	r, size, err := w.open(id.key)
	if err != nil {
		return nil, 0, fmt.Errorf("storage %q: %w", id.key, err)
	}
	if need := id.number * formats[id.kind].size; id.number < 0 || id.shift == 0 && size < need {
		return nil, 0, fmt.Errorf("truncated: storage %q has %d bytes of %d", id.key, size, need)
	}
	if e, ok := r.(*extent); ok {
		w.extents[id.key] = e
	}
	return r, size, nil
}

// disjoint proves that no two storages share bytes of the file.
func (w *torchWalk) disjoint() error {
	var all []*extent
	for _, key := range sortedKeys(w.extents) {
		all = append(all, w.extents[key])
	}
	slices.SortFunc(all, func(a, b *extent) int { return cmp.Compare(a.at, b.at) })
	for i, e := range all {
		if i > 0 && all[i-1].at+all[i-1].Size() > e.at {
			return fmt.Errorf("malformed: two storages share the bytes from %d on", e.at)
		}
	}
	return nil
}
