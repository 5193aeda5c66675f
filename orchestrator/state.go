package orchestrator

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/internal/rng"
)

// state is everything that training changes: five arenas of one layout and the
// running statistics of batch norm. Tensors bound to sessions are views of it.
type state struct {
	specs   []nets.ParamSpec
	offsets []int          // of specs[i] in every arena
	index   map[string]int // of specs by name
	spans   []span

	student, teacher *engine.Arena // teacher is nil for methods without one
	grads            *engine.Arena
	moment1, moment2 *engine.Arena

	buffers map[string][]float32 // running statistics by name
	order   []string             // of buffers
}

// newState allocates the state for arch and draws initial weights from seed.
func newState(arch nets.Arch, withTeacher bool, c configs.Train, seed uint64) (*state, error) {
	specs, err := arch.Params()
	if err != nil {
		return nil, err
	}
	s := &state{specs: specs, index: map[string]int{}, buffers: map[string][]float32{}}
	total := 0
	for i, p := range specs {
		s.index[p.Name] = i
		s.offsets = append(s.offsets, total)
		total += p.Shape.Size()
		s.addSpan(total, p, c)
	}
	if err := s.allocate(total, withTeacher); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for i, p := range specs {
		p.Init(rng.New(seed, 0, "init/"+p.Name), s.view(s.student, i))
	}
	if withTeacher {
		copy(s.teacher.Floats(), s.student.Floats())
	}
	buffers, err := arch.Buffers()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, b := range buffers {
		data := make([]float32, b.Len)
		for i := range data {
			data[i] = b.Init
		}
		s.buffers[b.Name] = data
		s.order = append(s.order, b.Name)
	}
	return s, nil
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

func (s *state) allocate(n int, withTeacher bool) (err error) {
	arenas := []**engine.Arena{&s.student, &s.grads, &s.moment1, &s.moment2}
	if withTeacher {
		arenas = append(arenas, &s.teacher)
	}
	for _, a := range arenas {
		if *a, err = engine.NewArena(n); err != nil {
			return fmt.Errorf("memory for %d parameters: %w", n, err)
		}
	}
	return nil
}

func (s *state) close() error {
	var errs []error
	for _, a := range []*engine.Arena{s.student, s.teacher, s.grads, s.moment1, s.moment2} {
		if a != nil {
			errs = append(errs, a.Close())
		}
	}
	return errors.Join(errs...)
}

// view returns parameter i of an arena.
func (s *state) view(a *engine.Arena, i int) []float32 {
	n := s.specs[i].Shape.Size()
	return a.Floats()[s.offsets[i] : s.offsets[i]+n : s.offsets[i]+n]
}

// lookup returns a named parameter of arena a, or a running statistic, for
// export.
func (s *state) lookup(a *engine.Arena) func(name string) ([]float32, error) {
	return func(name string) ([]float32, error) {
		if i, ok := s.index[name]; ok {
			return s.view(a, i), nil
		}
		if b, ok := s.buffers[name]; ok {
			return b, nil
		}
		return nil, fmt.Errorf("the network has no parameter or buffer %q", name)
	}
}

// tensors lists an arena's parameters as named tensors that share its memory.
func (s *state) tensors(prefix string, a *engine.Arena) []weights.Tensor {
	out := make([]weights.Tensor, len(s.specs))
	for i, p := range s.specs {
		out[i] = weights.Tensor{Name: prefix + p.Name, Shape: p.Shape, Data: s.view(a, i)}
	}
	return out
}

// bufferTensors lists the running statistics as named tensors.
func (s *state) bufferTensors() []weights.Tensor {
	out := make([]weights.Tensor, len(s.order))
	for i, name := range s.order {
		out[i] = weights.Tensor{Name: name, Shape: []int{len(s.buffers[name])}, Data: s.buffers[name]}
	}
	return out
}

// initialise starts from weights that are part of the program, by name, or from
// the tensors of a safetensors file under our names or those of public
// checkpoints: the whole encoder, which the file must hold, and as much of head
// and projector as it has. The teacher starts as a copy.
func (s *state) initialise(path string, log *zap.Logger) error {
	have, err := initialWeights(path)
	if err != nil {
		return err
	}
	if have, err = weights.FromPublic(have); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	given := map[string]weights.Tensor{}
	for _, t := range have {
		given[t.Name] = t
	}
	var want, use []weights.Tensor
	for i, t := range s.tensors("", s.student) {
		g, ok := given[t.Name]
		if ok {
			use = append(use, g)
		}
		if ok || s.specs[i].Group == nets.Encoder {
			want = append(want, t)
		}
	}
	for _, t := range s.bufferTensors() {
		if g, ok := given[t.Name]; ok {
			want, use = append(want, t), append(use, g)
		}
	}
	if err := weights.Assign(path, want, use); err != nil {
		return err
	}
	if s.teacher != nil {
		copy(s.teacher.Floats(), s.student.Floats())
	}
	log.Info("initialised", zap.String("file", path), zap.Int("tensors", len(want)),
		zap.Int("left random", len(s.specs)+len(s.order)-len(want)), zap.Int("unused in the file", len(have)-len(use)))
	return nil
}

// initialWeights reads what a network starts from: weights that are part of the
// program, by name, or a file of them.
func initialWeights(path string) ([]weights.Tensor, error) {
	if slices.Contains(weights.Pretrained(), path) {
		tensors, _, err := weights.LoadPretrained(path)
		return tensors, err
	}
	want, err := digestBeside(path)
	if err != nil {
		return nil, err
	}
	tensors, err := loadSummed(path, want)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (weights in the program: %s)", err, strings.Join(weights.Pretrained(), ", "))
	}
	if changed := changedError(""); errors.As(err, &changed) {
		return nil, fmt.Errorf("%s is damaged, or changed: %w (%s says so)", path, err, filepath.Join(filepath.Dir(path), sumsFile))
	}
	return tensors, err
}
