package learner

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/rng"
)

// guarded is memory that nothing but sessions and declared copies may touch: any
// other access ends the test's process.
func guarded(n int) (engine.Arena, error) {
	a, err := engine.NewGuardedArena(n)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// TestResidentState trains with the state in guarded memory, where graphs do what
// loops do on the host: to the same losses, bit by bit, with the feature distance,
// and through save and restore.
func TestResidentState(t *testing.T) {
	c := keeping()
	for _, method := range []configs.Method{configs.SourceOnly, configs.T2S} {
		c.Method = method
		host, resident := open(t, c, zap.NewNop()), openIn(t, c, zap.NewNop(), guarded)
		a, b := train(t, host, 0, 3), train(t, resident, 0, 3)
		again := openIn(t, c, zap.NewNop(), guarded)
		for i, part := range resident.Parts() {
			want, have := tensors(t, host.Parts()[i]), tensors(t, part)
			for k, w := range want {
				if have[k].Name != w.Name || !slices.Equal(have[k].Data, w.Data) {
					t.Errorf("%s, %s: tensor %s differs", method, part.Name, w.Name)
				}
			}
			if err := again.Parts()[i].Restore("resident", have); err != nil {
				t.Fatal(err)
			}
		}
		a, b = append(a, train(t, host, 3, 4)...), append(b, train(t, resident, 3, 4)...)
		for i := range a {
			if !maps.Equal(a[i].Losses, b[i].Losses) {
				t.Errorf("%s, iteration %d: losses %v in guarded memory, %v on the host", method, i, b[i].Losses, a[i].Losses)
			}
			if have, want := b[i].GradNorm, a[i].GradNorm; math.Abs(have-want) > 1e-6*want {
				t.Errorf("%s, iteration %d: the gradient's norm is %g in guarded memory, %g on the host", method, i, have, want)
			}
		}
		if r := train(t, again, 3, 4)[0]; !maps.Equal(r.Losses, b[3].Losses) || r.GradNorm != b[3].GradNorm {
			t.Errorf("%s: restored: %v, %g; uninterrupted: %v, %g", method, r.Losses, r.GradNorm, b[3].Losses, b[3].GradNorm)
		}
		first := tensors(t, resident.Parts()[0])[0]
		if have, err := resident.Student(first.Name); err != nil || !slices.Equal(have, first.Data) {
			t.Errorf("%s: %s for export differs (%v)", method, first.Name, err)
		}
		if err := resident.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestOptimizers: loops and graphs make the same of the same numbers; with clipped
// gradients, whose norm they sum in different orders, to the last digits.
func TestOptimizers(t *testing.T) {
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1})
	for _, clip := range []float64{0, 0.5} {
		c := configs.Default().Train
		c.ClipNorm = clip
		var states [2]*state
		var optimizers [2]optimizer
		for i, arena := range []newArena{onHost, guarded} {
			s, err := newState(Arch(small(), 3), true, c, 5, arena)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if optimizers[i], err = newOptimizer(e, s, c); err != nil {
				t.Fatal(err)
			}
			defer optimizers[i].Close()
			states[i] = s
		}
		if _, ok := optimizers[1].(*graphOptimizer); !ok {
			t.Fatalf("guarded memory has a %T", optimizers[1])
		}
		for it := range 3 {
			grads := make([]float32, states[0].size)
			r := rng.New(1, it, "grads")
			for i := range grads {
				grads[i] = float32(r.NormFloat64())
			}
			var norms [2]float64
			for i, o := range optimizers {
				if err := states[i].grads.Write(grads, 0); err != nil {
					t.Fatal(err)
				}
				var err error
				if norms[i], err = o.step(it, 1e-2); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(o.follow(0.75), o.clear()); err != nil {
					t.Fatal(err)
				}
			}
			if want := norms[0]; math.Abs(norms[1]-want) > 1e-6*want {
				t.Errorf("clip %g: norm %g by graphs, %g by loops", clip, norms[1], want)
			}
		}
		a, b := states[0], states[1]
		for name, k := range map[string][2]engine.Arena{
			"student": {a.student, b.student}, "teacher": {a.teacher, b.teacher}, "m": {a.moment1, b.moment1}, "v": {a.moment2, b.moment2}, "gradients": {a.grads, b.grads},
		} {
			have := make([]float32, b.size)
			if err := k[1].Read(have, 0); err != nil {
				t.Fatal(err)
			}
			for i, want := range k[0].Host() {
				if off := math.Abs(float64(have[i] - want)); off > 1e-6*math.Abs(float64(want)) && (clip > 0 && off > 1e-8 || clip == 0) {
					t.Fatalf("clip %g: %s[%d] is %g by graphs, %g by loops", clip, name, i, have[i], want)
				}
			}
		}
	}
}
