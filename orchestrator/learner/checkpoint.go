package learner

import (
	"hash/crc32"
	"slices"

	"t2sda/graphs/engine"
	"t2sda/graphs/weights"
	"t2sda/internal/ranks"
)

// Part is a piece of a learner's state, as a file of a checkpoint holds it.
type Part struct {
	Name   string
	state  *state
	arenas []engine.Arena
	prefix []string         // of the names in each
	rest   bool             // with what is not trained: fixed tensors and running statistics
	host   []weights.Tensor // memory of terms beside the network
}

// Parts lists all that training changes, and what of the network it does not:
// "student", the whole network, running statistics included; "teacher", what of it is
// trained, unless the method has none; "optimizer", AdamW's moments, m/NAME and
// v/NAME; "discriminator" and "class_discriminator", parameters and moments of those of the
// terms adversarial and class-adversarial;
// "memory", what else terms keep from iteration to iteration.
func (l *Learner) Parts() []Part {
	s := l.state
	parts := []Part{s.studentPart()}
	if s.teacher != nil {
		parts = append(parts, Part{Name: "teacher", state: s, arenas: []engine.Arena{s.teacher}, prefix: []string{""}})
	}
	parts = append(parts, Part{Name: "optimizer", state: s, arenas: []engine.Arena{s.moment1, s.moment2}, prefix: []string{"m/", "v/"}})
	for _, d := range l.discriminators {
		parts = append(parts, d.part())
	}
	if len(l.memory) > 0 {
		parts = append(parts, Part{Name: "memory", host: l.memory})
	}
	return parts
}

func (s *state) studentPart() Part {
	return Part{Name: "student", state: s, arenas: []engine.Arena{s.student}, prefix: []string{""}, rest: true}
}

// Tensors lists the part's tensors. Where the host may touch the state they share
// its memory, elsewhere they are copies.
func (p Part) Tensors() ([]weights.Tensor, error) {
	var out []weights.Tensor
	for k, a := range p.arenas {
		all, err := values(a, 0, p.state.size)
		if err != nil {
			return nil, err
		}
		for i, spec := range p.state.specs {
			at, n := p.state.offsets[i], spec.Shape.Size()
			out = append(out, weights.Tensor{Name: p.prefix[k] + spec.Name, Shape: spec.Shape, Data: all[at : at+n : at+n]})
		}
	}
	if p.rest {
		fixed, err := p.state.base.tensors()
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, fixed, p.state.bufferTensors())
	}
	return append(out, p.host...), nil
}

// Restore replaces the part by tensors of the same names and shapes. Errors name
// source, where they are from; the state is then undefined.
func (p Part) Restore(source string, have []weights.Tensor) error {
	mine, err := p.Tensors()
	if err != nil {
		return err
	}
	if err := weights.Assign(source, mine, have); err != nil {
		return err
	}
	return p.put(mine)
}

// put brings what Tensors gave, changed meanwhile, back to where it is from.
func (p Part) put(tensors []weights.Tensor) error {
	if p.state == nil {
		return nil // it was the memory itself
	}
	n := len(p.state.specs)
	for k, a := range p.arenas {
		if a.Host() != nil {
			continue // it was the memory itself
		}
		for i, t := range tensors[k*n : (k+1)*n] {
			if err := a.Write(t.Data, p.state.offsets[i]); err != nil {
				return err
			}
		}
	}
	if p.rest {
		return p.state.base.put(tensors[len(p.arenas)*n:])
	}
	return nil
}

// values returns n values of an arena from offset on, the memory itself where the
// host may touch it, else a copy.
func values(a engine.Arena, offset, n int) ([]float32, error) {
	if host := a.Host(); host != nil {
		return host[offset : offset+n : offset+n], nil
	}
	out := make([]float32, n)
	return out, a.Read(out, offset)
}

// copyArena copies the first n values.
func copyArena(dst, src engine.Arena, n int) error {
	return inChunks(src, n, func(at int, part []float32) error { return dst.Write(part, at) })
}

// inChunks calls f with an arena's first n values, of which it may hold a few at a
// time.
func inChunks(a engine.Arena, n int, f func(at int, part []float32) error) error {
	if host := a.Host(); host != nil {
		return f(0, host[:n])
	}
	const most = 1 << 20
	buffer := make([]float32, min(n, most))
	for at := 0; at < n; at += len(buffer) {
		part := buffer[:min(len(buffer), n-at)]
		if err := a.Read(part, at); err != nil {
			return err
		}
		if err := f(at, part); err != nil {
			return err
		}
	}
	return nil
}

// Sum is a checksum of the weights of student and teacher.
func (l *Learner) Sum() (uint32, error) {
	sum := uint32(0)
	for _, a := range []engine.Arena{l.state.student, l.state.teacher} {
		if a == nil {
			continue
		}
		err := inChunks(a, l.state.size, func(_ int, part []float32) error {
			sum = crc32.Update(sum, castagnoli, ranks.Bytes(part))
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// castagnoli is what processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// remember makes a checkpoint hold what a term keeps from iteration to iteration.
func (l *Learner) remember(t weights.Tensor) { l.memory = append(l.memory, t) }
