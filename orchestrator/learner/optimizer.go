package learner

import (
	"io"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/internal/lanes"
)

// optimizer moves a state: gradients to 0, the student by AdamW, the teacher
// towards the student. What it computes does not depend on where the state lies.
type optimizer interface {
	clear() error // gradients
	// norm is the Euclidean norm of what the gradients' arena holds.
	norm() (float64, error)
	step(u update) error        // AdamW
	follow(alpha float64) error // teacher ← α·teacher + (1−α)·student
	io.Closer
}

// update is one of AdamW's.
type update struct {
	index int     // how many were before
	lr    float64 // the encoder's learning rate
	norm  float64 // of the gradients before clipping
	scale float64 // of what the arena holds: gradients times scale
}

// newOptimizer returns loops over memory that the host may touch, or graphs that
// run where the state lies.
func newOptimizer(e *engine.Engine, s *state, c configs.Train) (optimizer, error) {
	if s.student.Host() != nil {
		return &hostOptimizer{s, newAdamW(c, s.spans)}, nil
	}
	return newGraphOptimizer(e, s, newAdamW(c, s.spans))
}

// hostOptimizer works on memory that the host may touch.
type hostOptimizer struct {
	s *state
	*adamW
}

func (o *hostOptimizer) clear() error {
	clear(o.s.grads.Host())
	return nil
}

func (o *hostOptimizer) norm() (float64, error) { return norm2(o.s.grads.Host()), nil }

func (o *hostOptimizer) step(u update) error {
	s := o.s
	o.update(s.student.Host(), s.grads.Host(), s.moment1.Host(), s.moment2.Host(), u)
	return nil
}

func (o *hostOptimizer) follow(alpha float64) error {
	emaUpdate(o.s.teacher.Host(), o.s.student.Host(), alpha)
	return nil
}

func (o *hostOptimizer) Close() error { return nil }

// emaUpdate moves teacher ← α·teacher + (1−α)·student.
func emaUpdate(teacher, student []float32, alpha float64) {
	inParallel(0, len(teacher), func(from, to int) {
		lanes.Blend(teacher[from:to], student[from:to], float32(alpha), float32(1-alpha))
	})
}
