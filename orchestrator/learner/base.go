package learner

import (
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/internal/rng"
)

// base is what an encoder has that training leaves as it is (model.encoder_train
// frozen, lora): one arena, which student and teacher share, without gradients and
// moments. The zero value is that of an encoder that is trained whole.
type base struct {
	specs   []nets.ParamSpec
	offsets map[string]int // of specs in the arena, by name
	arena   engine.Arena   // nil without specs
}

// newBase allocates the fixed tensors of arch, each at a multiple of align, and draws
// them from seed; as a rule they are then replaced by given ones.
func newBase(arch nets.Arch, seed uint64, arena newArena, align int) (base, error) {
	specs, err := arch.Fixed()
	if err != nil || len(specs) == 0 {
		return base{}, err
	}
	b, size := base{specs: specs, offsets: map[string]int{}}, 0
	for _, p := range specs {
		size = engine.Aligned(size, align)
		b.offsets[p.Name] = size
		size += p.Shape.Size()
	}
	if b.arena, err = arena(size); err != nil {
		return base{}, fmt.Errorf("memory for %d fixed weights: %w", size, err)
	}
	for _, p := range specs {
		values := make([]float32, p.Shape.Size())
		p.Init(rng.New(seed, 0, "init/"+p.Name), values)
		if err := b.arena.Write(values, b.offsets[p.Name]); err != nil {
			return b, err
		}
	}
	return b, nil
}

// has reports whether a tensor of that name is fixed.
func (b base) has(name string) bool {
	_, ok := b.offsets[name]
	return ok
}

// view gives a fixed tensor its memory, for sessions.
func (b base) view(name string, shape graphs.Shape) (*engine.Tensor, error) {
	return b.arena.View(b.offsets[name], shape...)
}

// values returns a fixed tensor's values, which may be the memory itself.
func (b base) values(name string, n int) ([]float32, error) {
	return values(b.arena, b.offsets[name], n)
}

// tensors lists the fixed tensors, which share the arena's memory where the host may
// touch it.
func (b base) tensors() ([]weights.Tensor, error) {
	out := make([]weights.Tensor, len(b.specs))
	for i, p := range b.specs {
		data, err := b.values(p.Name, p.Shape.Size())
		if err != nil {
			return nil, err
		}
		out[i] = weights.Tensor{Name: p.Name, Shape: p.Shape, Data: data}
	}
	return out, nil
}

// put brings what tensors gave, changed meanwhile, back to where it is from.
func (b base) put(tensors []weights.Tensor) error {
	if b.arena == nil || b.arena.Host() != nil {
		return nil // it was the memory itself
	}
	for i, p := range b.specs {
		if err := b.arena.Write(tensors[i].Data, b.offsets[p.Name]); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the memory.
func (b base) Close() error {
	if b.arena == nil {
		return nil
	}
	return b.arena.Close()
}
