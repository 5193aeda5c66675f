package learner

import (
	"errors"
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

// memories opens c's learner with its state where only sessions touch it: in guarded
// memory, and in the device's, where networks may be captured, too.
var memories = map[string]func(t testing.TB, c configs.Config) *Learner{
	"guarded": func(t testing.TB, c configs.Config) *Learner { return openIn(t, c, zap.NewNop(), guarded) },
	"device": func(t testing.TB, c configs.Config) *Learner {
		c.Runtime.State = "device"
		return open(t, c, zap.NewNop())
	},
	"captured": func(t testing.TB, c configs.Config) *Learner {
		c.Runtime.State, c.Runtime.CUDA.Graph = "device", true
		return open(t, c, zap.NewNop())
	},
}

// onHostMemory opens c's learner with its state in the host's memory.
func onHostMemory(t testing.TB, c configs.Config) *Learner {
	c.Runtime.State = "host"
	return open(t, c, zap.NewNop())
}

// TestResidentState trains with the state in memory that is not the host's, where
// graphs do what loops do on the host: to the same losses, bit by bit, with the feature
// distance, and through save and restore. The pull's prototypes are rounded otherwise
// there, which [TestResidentLosses] bounds.
func TestResidentState(t *testing.T) {
	c := keeping()
	for name, openThere := range memories {
		for _, method := range []configs.Method{configs.SourceOnly, configs.SelfTraining, configs.T2S} {
			c.Method = method
			t.Run(name+"/"+string(method), func(t *testing.T) { testResident(t, c, openThere) })
		}
	}
	two := keeping()
	two.Method, two.Model.HRDA, two.Loss.Mask.Block = configs.SelfTraining+"+mask", smallHRDA().Model.HRDA, 16
	for _, name := range []string{"guarded", "captured"} {
		t.Run(name+"/HRDA", func(t *testing.T) { testResident(t, two, memories[name]) })
	}
}

func testResident(t *testing.T, c configs.Config, openThere func(t testing.TB, c configs.Config) *Learner) {
	host, resident := onHostMemory(t, c), openThere(t, c)
	a, b := train(t, host, 0, 3), train(t, resident, 0, 3)
	again := openThere(t, c)
	for i, part := range resident.Parts() {
		want, have := tensors(t, host.Parts()[i]), tensors(t, part)
		for k, w := range want {
			if have[k].Name != w.Name || !c.UsesPull() && !enginetest.OnDevice() && !slices.Equal(have[k].Data, w.Data) {
				t.Errorf("%s: tensor %s differs", part.Name, w.Name)
			}
		}
		if err := again.Parts()[i].Restore("resident", have); err != nil {
			t.Fatal(err)
		}
		for k, restored := range tensors(t, again.Parts()[i]) {
			if !slices.Equal(restored.Data, have[k].Data) {
				t.Errorf("%s: tensor %s differs after it was restored", part.Name, restored.Name)
			}
		}
	}
	a, b = append(a, train(t, host, 3, 4)...), append(b, train(t, resident, 3, 4)...)
	for i := range a {
		if c.UsesPull() {
			break
		}
		if !nearLosses(a[i].Losses, b[i].Losses) {
			t.Errorf("iteration %d: losses %v, %v on the host", i, b[i].Losses, a[i].Losses)
		}
		if have, want := b[i].GradNorm, a[i].GradNorm; !near(want, have) && math.Abs(have-want) > 1e-6*want {
			t.Errorf("iteration %d: the gradient's norm is %g, %g on the host", i, have, want)
		}
	}
	if r := train(t, again, 3, 4)[0]; !nearLosses(r.Losses, b[3].Losses) || !near(r.GradNorm, b[3].GradNorm) {
		t.Errorf("restored: %v, %g; uninterrupted: %v, %g", r.Losses, r.GradNorm, b[3].Losses, b[3].GradNorm)
	}
	first := tensors(t, resident.Parts()[0])[0]
	if have, err := resident.Student(first.Name); err != nil || !slices.Equal(have, first.Data) {
		t.Errorf("%s for export differs (%v)", first.Name, err)
	}
	if err := resident.Check(); err != nil {
		t.Error(err)
	}
}

// TestResidentLosses: each of 50 iterations has the host's losses when it begins where
// the host's does. (Left to themselves the two part: prototypes are sums that are rounded
// otherwise, and training makes much of a last digit.)
func TestResidentLosses(t *testing.T) {
	c := small()
	c.Train.Iterations = 50
	host, resident, captured := onHostMemory(t, c), memories["device"](t, c), memories["captured"](t, c)
	for i := range c.Train.Iterations {
		copyState(t, resident, host)
		copyState(t, captured, host)
		want, have, there := train(t, host, i, i+1)[0], train(t, resident, i, i+1)[0], train(t, captured, i, i+1)[0]
		compareLosses(t, i, have, want)
		if there.ToDevice != have.ToDevice || there.FromDevice != have.FromDevice {
			t.Errorf("iteration %d: captured, %d bytes go to the device and %d back; run node by node %d and %d", i, there.ToDevice, there.FromDevice, have.ToDevice, have.FromDevice)
		}
		if !nearLosses(there.Losses, have.Losses) || !near(there.GradNorm, have.GradNorm) {
			t.Errorf("iteration %d: captured, it has %v and the norm %g; run node by node %v and %g", i, there.Losses, there.GradNorm, have.Losses, have.GradNorm)
		}
	}
}

// copyState makes a learner's state another's.
func copyState(t *testing.T, to, from *Learner) {
	t.Helper()
	for k, part := range from.Parts() {
		if err := to.Parts()[k].Restore("the other", tensors(t, part)); err != nil {
			t.Fatal(err)
		}
	}
}

// goesOn compares iterations [from, to) of a learner that has taken over another's state with those
// of that other one: to the bit on a CPU, what terms remember included.
func goesOn(t *testing.T, one, other *Learner, from, to int) []Step {
	t.Helper()
	a, b := train(t, one, from, to), train(t, other, from, to)
	for i := range a {
		if !nearLosses(a[i].Losses, b[i].Losses) || !near(a[i].Selected, b[i].Selected) || !near(a[i].GradNorm, b[i].GradNorm) {
			t.Errorf("iteration %d: %v, %g selected; want %v, %g", a[i].Iteration, b[i].Losses, b[i].Selected, a[i].Losses, a[i].Selected)
		}
	}
	for k, want := range one.memory {
		have := other.memory[k]
		if have.Name != want.Name || !slices.EqualFunc(have.Data, want.Data, func(a, b float32) bool { return near(float64(a), float64(b)) }) {
			t.Errorf("%s differs", want.Name)
		}
	}
	return a
}

// TestFamiliesElsewhere: terms that remember, or look at both domains, do the same where only
// sessions may touch the state.
func TestFamiliesElsewhere(t *testing.T) {
	views := small()
	views.Method = configs.SAC
	for name, c := range map[string]configs.Config{"views": views, "cluster": clustering(), "associate": associating(), "regions": regional()} {
		t.Run(name, func(t *testing.T) { testResident(t, c, memories["guarded"]) })
	}
	t.Run("captured", func(t *testing.T) { testResident(t, views, memories["captured"]) })
}

// compareLosses compares an iteration from one state in memory that is not the host's with
// the host's, but for rounding.
func compareLosses(t *testing.T, iteration int, have, want Step) {
	t.Helper()
	tolerance := 1e-6
	if enginetest.OnDevice() {
		tolerance = 1e-2
	}
	if len(have.Losses) != len(want.Losses) {
		t.Errorf("iteration %d: losses %v, %v on the host", iteration, have.Losses, want.Losses)
	}
	for term, on := range want.Losses {
		if off := math.Abs(have.Losses[term] - on); !(off <= tolerance*math.Abs(on)) {
			t.Errorf("iteration %d: %s is %.9g, %.9g on the host", iteration, term, have.Losses[term], on)
		}
	}
}

// TestCrossing counts what a device's sessions move: with the state on the device
// nothing that grows with the parameters, but the batch's mean and variance of each
// channel; with the host's state parameters and gradients at every run.
func TestCrossing(t *testing.T) {
	type crossing struct{ parameters, channels, in, out int64 }
	measure := func(state string, width int) crossing {
		c := small()
		c.Model.HeadWidth, c.Model.Dropout, c.Runtime.State = width, 0, state
		l := open(t, c, zap.NewNop())
		train(t, l, 0, 1) // allocates nothing later
		in, out := l.engine.Crossed()
		step := train(t, l, 1, 2)[0]
		toDevice, fromDevice := l.engine.Crossed()
		k := crossing{parameters: int64(l.state.size), in: toDevice - in, out: fromDevice - out}
		if l.countsBytes() && (step.ToDevice != k.in || step.FromDevice != k.out) {
			t.Errorf("recorded %d bytes to and %d from the device, want %d and %d", step.ToDevice, step.FromDevice, k.in, k.out)
		}
		for _, s := range l.supervised.stats {
			k.channels += int64(len(s.mean))
		}
		return k
	}
	narrow, wide := measure("device", 16), measure("device", 128)
	more := wide.parameters - narrow.parameters
	if more < narrow.parameters/10 {
		t.Fatalf("%d parameters, %d in the wider network", narrow.parameters, wide.parameters)
	}
	runs := int64(2) // of the supervised session: L_S, L_T
	if d := wide.out - narrow.out; d != runs*2*4*(wide.channels-narrow.channels) {
		t.Errorf("%d bytes from the device, %d with %d more parameters and %d more channels", narrow.out, wide.out, more, wide.channels-narrow.channels)
	}
	c := small()
	pixels := int64(c.Train.Batch * cropSize * cropSize)
	labels := pixels * (1 + 4) // pseudo-labels and confidences
	features := int64(4 * 2 * c.Train.Batch * c.Model.ProjectorWidth * (cropSize / 4) * (cropSize / 4))
	if narrow.out-labels > features/8 {
		t.Errorf("%d bytes from the device, %d of them labels: the teachers' features, %d, do not stay there", narrow.out, labels, features)
	}
	const images = 5 // runs: both teachers', L_S's, the pull's, L_T's
	if rest := narrow.in - images*3*4*pixels - runs*(1+4)*pixels; rest < 0 || rest > pixels {
		t.Errorf("%d bytes to the device: %d besides images of float32, and a byte of label and a weight for each pixel of two runs", narrow.in, rest)
	}
	if wide.in != narrow.in {
		t.Errorf("%d bytes to the device, %d with %d more parameters", narrow.in, wide.in, more)
	}
	t.Logf("state on the device: %+v, %+v", narrow, wide)
	narrow, wide = measure("host", 16), measure("host", 128)
	if wide.in-narrow.in < 4*more || wide.out-narrow.out < 4*more {
		t.Errorf("the host's state: %+v, %+v", narrow, wide)
	}
	t.Logf("the host's state: %+v, %+v", narrow, wide)
}

// TestPlacement: of a learner's sessions no device leaves anything to the CPU.
func TestPlacement(t *testing.T) {
	var sessions []string
	e := enginetest.Open(t, engine.Options{Placed: func(p engine.Placement) {
		sessions = append(sessions, p.Session)
		t.Logf("%s: %s", p.Session, p)
		if len(p.Fallback) > 0 {
			t.Errorf("%s: the CPU runs %v", p.Session, p.Fallback)
		}
	}})
	c := small()
	c.Runtime.State = "device"
	l, err := New(e, Options{Config: c, Space: shapesSpace(), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(sessions, "supervised") || !slices.Contains(sessions, "adamw0") {
		t.Errorf("placements of %v", sessions)
	}
}

// TestOptimizers: loops and graphs make the same of the same numbers; with clipped
// gradients, whose norm they sum in different orders, to the last digits.
func TestOptimizers(t *testing.T) {
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1})
	rounding := 0.0 // what differences between large numbers are off by
	if enginetest.OnDevice() {
		rounding = 1e-6
	}
	for _, clip := range []float64{0, 0.5} {
		c := configs.Default().Train
		c.ClipNorm = clip
		var states [2]*state
		var optimizers [2]optimizer
		for i, arena := range []newArena{onHost, guarded} { // the device's memory takes the same graphs
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
			var norms [2]float64
			for i, o := range optimizers {
				drawGrads(t, states[i], it)
				var err error
				if norms[i], err = o.norm(); err != nil {
					t.Fatal(err)
				}
				scale := math.Ldexp(1, it)
				if err := errors.Join(o.step(update{it, 1e-2, norms[i] / scale, scale}), o.follow(0.75), o.clear()); err != nil {
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
			have := inOrder(t, b, k[1])
			for i, want := range inOrder(t, a, k[0]) {
				if off := math.Abs(float64(have[i] - want)); off > 1e-6*math.Abs(float64(want)) && (clip > 0 && off > max(rounding, 1e-7) || clip == 0 && off > rounding) {
					t.Fatalf("clip %g: %s[%d] is %g by graphs, %g by loops", clip, name, i, have[i], want)
				}
			}
		}
	}
}

// drawGrads fills the gradients of an iteration, tensor by tensor, wherever they begin.
func drawGrads(t *testing.T, s *state, it int) {
	t.Helper()
	r := rng.New(1, it, "grads")
	for k, p := range s.specs {
		grads := make([]float32, p.Shape.Size())
		for i := range grads {
			grads[i] = float32(r.NormFloat64())
		}
		if err := s.grads.Write(grads, s.offsets[k]); err != nil {
			t.Fatal(err)
		}
	}
}

// inOrder reads an arena's tensors, one behind the other.
func inOrder(t *testing.T, s *state, a engine.Arena) (all []float32) {
	t.Helper()
	for k, p := range s.specs {
		part := make([]float32, p.Shape.Size())
		if err := a.Read(part, s.offsets[k]); err != nil {
			t.Fatal(err)
		}
		all = append(all, part...)
	}
	return all
}

// TestAlignment: tensors on a device begin where its libraries want them to, trained and
// fixed ones; in the host's memory they stand side by side.
func TestAlignment(t *testing.T) {
	lora := small()
	lora.Model.EncoderTrain, lora.Model.LoRA.Rank = configs.TrainLoRA, 3
	for _, c := range []configs.Config{small(), lora} {
		for name, align := range map[string]int{"device": engine.DeviceAlign, "guarded": engine.DeviceAlign, "host": 1} {
			open := memories[name]
			if name == "host" {
				open = onHostMemory
			}
			s, gaps := open(t, c).state, 0
			end := 0
			for i, offset := range s.offsets {
				if offset%align != 0 || offset < end {
					t.Errorf("%s: %s begins at %d, the one before ends at %d", name, s.specs[i].Name, offset, end)
				}
				gaps += offset - end
				end = offset + s.specs[i].Shape.Size()
			}
			if end != s.size || (gaps > 0) != (align > 1) {
				t.Errorf("%s: %d values, the last tensor ends at %d, %d between them", name, s.size, end, gaps)
			}
			for tensor, offset := range s.base.offsets {
				if offset%align != 0 {
					t.Errorf("%s: fixed %s begins at %d", name, tensor, offset)
				}
			}
		}
	}
}
