package learner

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/rng"
)

// state is everything that training changes, five arenas of one layout and the
// running statistics of batch norm, and what of the network it leaves as it is.
// Tensors bound to sessions are views of it.
type state struct {
	who     string // it is: the student, or what learns beside it
	specs   []nets.ParamSpec
	offsets []int          // of specs[i] in every arena
	index   map[string]int // of specs by name
	spans   []span
	size    int // of every arena
	arena   newArena
	derive  program.Derive // of passes

	student, teacher engine.Arena // teacher is nil for methods without one
	grads            engine.Arena
	moment1, moment2 engine.Arena
	base             base // of an encoder that is fixed

	buffers map[string][]float32 // running statistics by name
	order   []string             // of buffers

	precision program.Precision // of products in programs over the state
	lossScale []float32         // one element, by which objectives and gradients are multiplied; nil: 1
}

// newArena makes the memory of a state.
type newArena func(n int) (engine.Arena, error)

// onHost is memory that the host may touch.
func onHost(n int) (engine.Arena, error) {
	a, err := engine.NewArena(n)
	if err != nil {
		return nil, err // not a typed nil
	}
	return a, nil
}

// onDevice is memory of the engine's device.
func onDevice(e *engine.Engine) newArena {
	return func(n int) (engine.Arena, error) {
		a, err := e.NewDeviceArena(n)
		if err != nil {
			return nil, err // not a typed nil
		}
		return a, nil
	}
}

// newState allocates the state for arch and draws initial weights from seed.
//
// Tensors in an arena that the host may not touch begin at multiples of [engine.DeviceAlign]; what
// lies between them is 0 and stays so.
func newState(arch nets.Arch, withTeacher bool, c configs.Train, seed uint64, arena newArena) (*state, error) {
	specs, err := arch.Params()
	if err != nil {
		return nil, err
	}
	s, err := newParameters("student", specs, withTeacher, c, seed, arena)
	if err != nil {
		return nil, err
	}
	align, err := alignment(arena)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.addBuffers(arch); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.base, err = newBase(arch, seed, arena, align); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// newParameters allocates and draws the parameters alone, in that order, of who they are.
func newParameters(who string, specs []nets.ParamSpec, withTeacher bool, c configs.Train, seed uint64, arena newArena) (*state, error) {
	align, err := alignment(arena)
	if err != nil {
		return nil, err
	}
	s := &state{who: who, specs: specs, index: map[string]int{}, buffers: map[string][]float32{}, arena: arena, derive: graphs.Gradients}
	if c.Recompute == configs.RecomputeBlocks {
		s.derive = graphs.Recomputed
	}
	for i, p := range specs {
		s.index[p.Name] = i
		s.size = engine.Aligned(s.size, align)
		s.offsets = append(s.offsets, s.size)
		s.size += p.Shape.Size()
		s.addSpan(s.size, p, c)
	}
	if err := s.allocate(withTeacher); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.draw(seed); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// alignment is that of tensors in arenas of this kind: none where they are the host's.
func alignment(arena newArena) (int, error) {
	a, err := arena(1)
	if err != nil {
		return 0, err
	}
	align := engine.DeviceAlign
	if a.Host() != nil {
		align = 1
	}
	return align, a.Close()
}

// addBuffers makes the running statistics.
func (s *state) addBuffers(arch nets.Arch) error {
	buffers, err := arch.Buffers()
	if err != nil {
		return err
	}
	for _, b := range buffers {
		data := make([]float32, b.Len)
		for i := range data {
			data[i] = b.Init
		}
		s.buffers[b.Name] = data
		s.order = append(s.order, b.Name)
	}
	return nil
}

// draw fills the student with initial weights; the teacher is a copy.
func (s *state) draw(seed uint64) error {
	for i, p := range s.specs {
		values := make([]float32, p.Shape.Size())
		p.Init(rng.New(seed, 0, "init/"+p.Name), values)
		if err := s.student.Write(values, s.offsets[i]); err != nil {
			return err
		}
	}
	return s.copyToTeacher()
}

// copyToTeacher makes the teacher, if there is one, equal to the student.
func (s *state) copyToTeacher() error {
	if s.teacher == nil {
		return nil
	}
	return copyArena(s.teacher, s.student, s.size)
}

// addSpan extends the last span to end, or begins a new one where step size or
// decay change.
func (s *state) addSpan(end int, p nets.ParamSpec, c configs.Train) {
	next := span{From: end - p.Shape.Size(), To: end, LRFactor: 1}
	if p.Group == nets.Head {
		next.LRFactor = c.HeadLRFactor
	}
	if p.Decay {
		next.Decay = c.WeightDecay
	}
	if n := len(s.spans); n > 0 && s.spans[n-1].LRFactor == next.LRFactor && s.spans[n-1].Decay == next.Decay {
		s.spans[n-1].To = end
		return
	}
	s.spans = append(s.spans, next)
}

func (s *state) allocate(withTeacher bool) (err error) {
	arenas := []*engine.Arena{&s.student, &s.grads, &s.moment1, &s.moment2}
	if withTeacher {
		arenas = append(arenas, &s.teacher)
	}
	for _, a := range arenas {
		if *a, err = s.arena(s.size); err != nil {
			return fmt.Errorf("memory for %d parameters: %w", s.size, err)
		}
	}
	return nil
}

func (s *state) Close() error {
	errs := []error{s.base.Close()}
	for _, a := range []engine.Arena{s.student, s.teacher, s.grads, s.moment1, s.moment2} {
		if a != nil {
			errs = append(errs, a.Close())
		}
	}
	return errors.Join(errs...)
}

// views gives parameters their memory in an arena, for sessions.
func (s *state) views(a engine.Arena) program.Params {
	return func(name string, shape graphs.Shape) (*engine.Tensor, error) {
		i, ok := s.index[name]
		if !ok {
			return nil, fmt.Errorf("the architecture's list of parameters lacks %s", name)
		}
		return a.View(s.offsets[i], shape...)
	}
}

// untrained gives what is not trained its memory, for sessions: running statistics,
// and fixed tensors.
func (s *state) untrained(name string, shape graphs.Shape) (*engine.Tensor, error) {
	if s.base.has(name) {
		return s.base.view(name, shape)
	}
	return engine.NewTensor(s.buffers[name], shape...)
}

// copyEncoder returns an arena with what is trained of the student's encoder:
// parameters of the first group, at the same offsets.
func (s *state) copyEncoder() (engine.Arena, error) {
	n := 0
	for i, p := range s.specs {
		if p.Group == nets.Encoder {
			n = s.offsets[i] + p.Shape.Size()
		}
	}
	a, err := s.arena(n)
	if err != nil {
		return nil, fmt.Errorf("memory for %d parameters: %w", n, err)
	}
	if err := copyArena(a, s.student, n); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// lookup returns a parameter of the student, or what is not trained.
func (s *state) lookup(name string) ([]float32, error) {
	if i, ok := s.index[name]; ok {
		return values(s.student, s.offsets[i], s.specs[i].Shape.Size())
	}
	for _, p := range s.base.specs {
		if p.Name == name {
			return s.base.values(name, p.Shape.Size())
		}
	}
	if b, ok := s.buffers[name]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("the network has no parameter or buffer %q", name)
}

// bufferTensors lists the running statistics as named tensors.
func (s *state) bufferTensors() []weights.Tensor {
	out := make([]weights.Tensor, len(s.order))
	for i, name := range s.order {
		out[i] = weights.Tensor{Name: name, Shape: []int{len(s.buffers[name])}, Data: s.buffers[name]}
	}
	return out
}

// initialise starts from tensors under our names, which source holds: the whole
// encoder, which must be there less its adapters, and as much of head and projector
// as there is. The teacher starts as a copy.
func (s *state) initialise(source string, have []weights.Tensor, log *zap.Logger) error {
	given := map[string]weights.Tensor{}
	for _, t := range have {
		given[t.Name] = t
	}
	student := s.studentPart()
	all, err := student.Tensors()
	if err != nil {
		return err
	}
	var want, use []weights.Tensor
	for i, t := range all {
		g, ok := given[t.Name]
		if ok {
			use = append(use, g)
		}
		parameter := i < len(s.specs)+len(s.base.specs)
		if ok || parameter && weights.IsRequired(weights.Info{Name: t.Name}) {
			want = append(want, t)
		}
	}
	if err := weights.Assign(source, want, use); err != nil {
		return err
	}
	if err := errors.Join(student.put(all), s.copyToTeacher()); err != nil {
		return err
	}
	log.Info("initialised", zap.String("file", source), zap.Int("tensors", len(want)),
		zap.Int("left random", len(all)-len(want)), zap.Int("unused in the file", len(have)-len(use)))
	return nil
}
