package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Binding ties tensors to every input and output of a session. It owns what
// ONNX Runtime needs during runs: it keeps the tensors reachable, their slices
// pinned and their arenas mapped until it is closed.
type Binding struct {
	session *Session

	mu      sync.Mutex // serialises runs and Close
	inputs  []*Tensor  // in the session's order
	outputs []*Tensor  // the same; nil where ONNX Runtime shall allocate
	values  map[*Tensor]ort.Value
	// The values in the order of the tensors, nil for scalars and where ONNX Runtime shall allocate.
	inputValues, outputValues []ort.Value

	arenas map[memory]struct{}
	pins   runtime.Pinner
	closed bool

	in, out int64 // bytes that each run moves between host and device
}

// Bind checks the tensors against the session and ties them to it. Every input
// and every output must be given, with the model's element type and shape.
//
// One tensor (or two over exactly the same memory) may be input and output: the
// run then works in place. ONNX Runtime does not check that this is safe. It is
// when the node that writes works element by element at the same index and every
// other reader of the old value comes before it, as in g_out = g_in + dW. Outputs
// that overlap each other, or an input in part, are refused.
//
// Tensors without dimensions are copied at each run; all others are used where
// they lie.
func (s *Session) Bind(inputs, outputs map[string]*Tensor) (*Binding, error) {
	b, err := s.bind(inputs, outputs, false)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", s.name, err)
	}
	return b, nil
}

// bind may leave out outputs when free is set; a run then lets ONNX Runtime
// allocate them.
func (s *Session) bind(inputs, outputs map[string]*Tensor, free bool) (_ *Binding, err error) {
	b := &Binding{session: s, values: map[*Tensor]ort.Value{}, arenas: map[memory]struct{}{}}
	if b.inputs, err = match("input", s.inputs, inputs, false); err != nil {
		return nil, err
	}
	if b.outputs, err = match("output", s.outputs, outputs, free); err != nil {
		return nil, err
	}
	if err := checkOverlap(s, b.inputs, b.outputs); err != nil {
		return nil, err
	}
	if s.Captured() {
		if err := s.reserve(b); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				s.release()
			}
		}()
	}
	s.mu.RLock() // the library stays loaded and the session open meanwhile
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errSessionClosed
	}
	for _, t := range slices.Concat(b.inputs, b.outputs) {
		if err := b.own(t); err != nil {
			return nil, errors.Join(err, b.free())
		}
	}
	b.inputValues, b.outputValues = b.listed(b.inputs), b.listed(b.outputs)
	b.in, b.out = crossing(b.inputs), crossing(b.outputs)
	s.bindingsMu.Lock()
	defer s.bindingsMu.Unlock()
	s.bindings[b] = struct{}{}
	return b, nil
}

var (
	errSessionClosed = errors.New("the session is closed")
	errBindingClosed = errors.New("the binding is closed")
)

// own pins and retains a tensor's memory and makes ONNX Runtime's value of it.
func (b *Binding) own(t *Tensor) error {
	if t == nil || b.values[t] != nil {
		return nil
	}
	if t.arena != nil {
		if _, ok := b.arenas[t.arena]; !ok {
			if err := t.arena.usableBy(b.session.engine); err != nil {
				return err
			}
			if err := t.arena.retain(); err != nil {
				return err
			}
			b.arenas[t.arena] = struct{}{}
		}
	} else {
		t.data.pin(&b.pins)
	}
	if t.copied() {
		return nil // made at each run
	}
	v, err := t.data.value(t.dims)
	if err != nil {
		return err
	}
	b.values[t] = v
	return nil
}

// match orders the given tensors as infos demands.
func match(kind string, infos []IOInfo, given map[string]*Tensor, free bool) ([]*Tensor, error) {
	ordered := make([]*Tensor, len(infos))
	used := 0
	var missing []string
	for i, info := range infos {
		t, ok := given[info.Name]
		switch {
		case !ok:
			missing = append(missing, info.Name)
			continue
		case t == nil:
			return nil, fmt.Errorf("%s %q is a nil tensor", kind, info.Name)
		}
		if err := info.accepts(t); err != nil {
			return nil, fmt.Errorf("%s %q %w", kind, info.Name, err)
		}
		ordered[i] = t
		used++
	}
	if used < len(given) {
		return nil, fmt.Errorf("there is no %s %s (%ss: %s)", kind, quoted(unknown(infos, given)), kind, quoted(ioNames(infos)))
	}
	if len(missing) > 0 && !free {
		return nil, fmt.Errorf("%s %s missing", kind, quoted(missing))
	}
	return ordered, nil
}

// accepts checks a tensor's element type and shape.
func (i IOInfo) accepts(t *Tensor) error {
	if t.DType() != i.DType {
		return fmt.Errorf("is %v, the tensor given is %v", i.DType, t.DType())
	}
	if i.Unranked {
		return nil
	}
	same := len(i.Dims) == len(t.dims)
	for k := 0; same && k < len(i.Dims); k++ {
		same = i.Dims[k] < 0 || i.Dims[k] == t.dims[k]
	}
	if !same {
		return fmt.Errorf("has shape %s, the tensor given %s", ShapeText(i.Dims), ShapeText(t.dims))
	}
	return nil
}

func unknown(infos []IOInfo, given map[string]*Tensor) []string {
	var names []string
	for name := range given {
		if !slices.ContainsFunc(infos, func(i IOInfo) bool { return i.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// quoted lists at most eight names.
func quoted(names []string) string {
	const most = 8
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", n)
	}
	return b.String()
}

// ShapeText writes free dimensions as question marks: [2,3,?,?].
func ShapeText(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		if parts[i] = "?"; d >= 0 {
			parts[i] = fmt.Sprint(d)
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// checkOverlap refuses memory that a run would write while it holds something
// else: two outputs that overlap, and an output that overlaps an input without
// being the very same range.
func checkOverlap(s *Session, inputs, outputs []*Tensor) error {
	type span struct {
		from, to uintptr
		output   bool
		name     string
	}
	var spans []span
	add := func(infos []IOInfo, tensors []*Tensor, output bool) {
		for i, t := range tensors {
			if t == nil || t.Len() == 0 {
				continue
			}
			from := t.data.address()
			spans = append(spans, span{from, from + uintptr(t.data.bytes()), output, infos[i].Name})
		}
	}
	add(s.inputs, inputs, false)
	add(s.outputs, outputs, true)
	slices.SortFunc(spans, func(a, b span) int {
		if c := cmp.Compare(a.from, b.from); c != 0 || a.output == b.output {
			return c
		}
		if a.output {
			return -1 // outputs first, so that every input at the same place is compared with them
		}
		return 1
	})
	var widest [2]span // furthest-reaching span so far: of inputs, of outputs
	for _, c := range spans {
		if o := widest[1]; o.to > c.from && (c.output || o.from != c.from || o.to != c.to) {
			return overlap(o.name, true, c.name, c.output)
		}
		if i := widest[0]; c.output && i.to > c.from && (i.from != c.from || i.to != c.to) {
			return overlap(c.name, true, i.name, false)
		}
		k := 0
		if c.output {
			k = 1
		}
		if c.to > widest[k].to {
			widest[k] = c
		}
	}
	return nil
}

func overlap(a string, aOut bool, b string, bOut bool) error {
	kind := map[bool]string{false: "input", true: "output"}
	return fmt.Errorf("%s %q overlaps the memory of %s %q", kind[aOut], a, kind[bOut], b)
}

// Run runs the session on the bound tensors. Runs of one binding follow each
// other; those of different bindings may overlap. When ctx is done before or
// during the run, ONNX Runtime stops at the next node and Run returns ctx's
// error: the outputs are then undefined, in-place ones included. A caller whose
// state must stay whole passes a context that is not cancelled.
func (b *Binding) Run(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("session %s: %w", b.session.name, errBindingClosed)
	}
	if _, err := b.run(ctx); err != nil {
		return fmt.Errorf("session %s: %w", b.session.name, err)
	}
	return nil
}

// Close lets go of the tensors. They and their session stay usable.
func (b *Binding) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	err := b.free()
	// Not before: whoever closes session and engine waits for the bindings that are there, and then
	// unloads the library.
	b.session.bindingsMu.Lock()
	defer b.session.bindingsMu.Unlock()
	delete(b.session.bindings, b)
	return err
}

// free destroys ONNX Runtime's values before their memory is let go.
func (b *Binding) free() error {
	var errs []error
	for _, v := range b.values {
		errs = append(errs, v.Destroy())
	}
	b.pins.Unpin()
	for a := range b.arenas {
		errs = append(errs, a.release())
	}
	b.values, b.inputValues, b.outputValues, b.arenas, b.inputs, b.outputs = nil, nil, nil, nil, nil, nil
	return errors.Join(errs...)
}
