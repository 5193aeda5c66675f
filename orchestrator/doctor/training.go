package doctor

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/orchestrator/learner"
	"t2sda/orchestrator/trial"
)

// How far losses may be from those of the CPU with the state on the host, relative. On the
// CPU, state on the device changes the last digits of the gradient's norm and of sums of
// features. Other devices round everything differently from the first iteration on, and a
// step of AdamW may turn with a gradient's last digit.
const (
	hostTolerance   = 1e-4
	firstTolerance  = 1e-3 // of a device, in the first iteration
	deviceTolerance = 5e-2 // of a device, in the last
)

// trained is a training with the losses of every iteration.
type trained struct {
	losses   []map[string]float64
	toDevice int64 // bytes in the last iteration
	back     int64
}

// training trains the embedded run's network on small crops, on the CPU with the state on
// the host and on the device with the state on either side.
func (x *examination) training(ctx context.Context) Check {
	if err := x.need(); err != nil {
		return failed(err)
	}
	iterations := 20
	if x.Quick {
		iterations = 4
	}
	cfg, err := trial.Load("streets", "data.crop.width=64", "data.crop.height=64", "train.adapt_after=0",
		"model.head_width=16", "model.projector_width=16", "loss.pull.queries=8", "loss.pull.negatives=32", "loss.pull.block=8")
	if err != nil {
		return failed(err)
	}
	batches := trial.Batches(cfg, iterations)
	want, err := x.train(ctx, x.cpu, cfg, "host", batches)
	if err != nil {
		return failed(err)
	}
	states := []string{"device", "host"}
	if !x.engine.HasOwnMemory() {
		states = states[:1] // the other one is what it is compared with
	}
	values := map[string]any{"iterations": iterations, "last": want.losses[iterations-1]}
	var said, wrong []string
	for _, state := range states {
		text, ok, figures := x.compare(want, state, func() (trained, error) { return x.train(ctx, x.engine, cfg, state, batches) })
		values[state] = figures
		if ok {
			said = append(said, text)
		} else {
			wrong = append(wrong, text)
		}
	}
	if len(wrong) > 0 {
		return fail("do not train there: choose --device cpu, or the other runtime.state", "%d iterations of streets %s: %s (allowed: %s)", iterations, x.onDevice(), some(append(wrong, said...)), x.allowed()).with(values)
	}
	return pass("%d iterations of streets %s as on the CPU with the state on the host; %s (allowed: %s)", iterations, x.onDevice(), some(said), x.allowed()).with(values)
}

// compare holds a training with the state somewhere against what is wanted.
func (x *examination) compare(want trained, state string, train func() (trained, error)) (text string, ok bool, figures map[string]any) {
	got, err := train()
	if err != nil {
		return fmt.Sprintf("with the state on the %s: %v", state, err), false, map[string]any{"error": err.Error()}
	}
	first, worst := differences(want.losses, got.losses)
	return fmt.Sprintf("state on the %s: losses differ by %.2g", state, worst), x.acceptable(first, worst), map[string]any{
		"first_difference": number(first), "largest_difference": number(worst), "h2d": got.toDevice, "d2h": got.back,
	}
}

func (x *examination) acceptable(first, worst float64) bool {
	if !x.engine.HasOwnMemory() {
		return worst <= hostTolerance
	}
	return first <= firstTolerance && worst <= deviceTolerance
}

func (x *examination) allowed() string {
	if !x.engine.HasOwnMemory() {
		return fmt.Sprint(hostTolerance)
	}
	return fmt.Sprintf("%g in the first iteration, %g later", firstTolerance, deviceTolerance)
}

// train runs one training.
func (x *examination) train(ctx context.Context, e *engine.Engine, cfg configs.Config, state string, batches []*datasets.Batch) (_ trained, err error) {
	cfg.Runtime.State = state
	t, err := trial.New(e, cfg, batches, nil)
	if err != nil {
		return trained{}, err
	}
	defer func() {
		if failed := t.Close(); err == nil {
			err = failed
		}
	}()
	out := trained{}
	for it := range batches {
		var s learner.Step
		if s, err = t.Step(ctx, it); err != nil {
			return out, fmt.Errorf("iteration %d: %w", it, err)
		}
		out.losses = append(out.losses, s.Losses)
		out.toDevice, out.back = s.ToDevice, s.FromDevice
	}
	return out, nil
}

// differences returns the largest relative difference of any loss, in the first iteration
// and in all of them. Losses below a hundredth are compared as if they were that.
func differences(want, got []map[string]float64) (first, worst float64) {
	for it := range want {
		for _, name := range slices.Sorted(maps.Keys(want[it])) {
			a, b := want[it][name], got[it][name]
			d := math.Abs(a-b) / max(0.01, math.Abs(a))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			worst = max(worst, d)
		}
		if it == 0 {
			first = worst
		}
	}
	return first, worst
}
