package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/plural"
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

	uncaptured []string // sessions that were to be captured, and why they cannot be
}

// trainings are those that are held against the CPU's with the state on the host.
var trainings = []training{
	{name: "device", state: "device", where: "the state on the device", instead: "runtime.state=host"},
	{name: "captured", state: "device", graph: true, where: "networks captured", instead: "runtime.cuda.graph=false"},
	{name: "host", state: "host", where: "the state on the host", instead: "runtime.state=device"},
}

type training struct {
	name, state string
	graph       bool   // networks are captured
	where       string // as it is told
	instead     string // setting that does without
}

// training trains the embedded run's network on small crops, on the CPU with the state on
// the host and on the device with the state on either side, and with its networks captured.
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
	values := map[string]any{"iterations": iterations, "last": want.losses[iterations-1]}
	var said, wrong, instead []string
	for _, k := range trainings {
		if k.state == "host" && !x.engine.HasOwnMemory() {
			continue // it is what is compared with
		}
		text, ok, figures := x.compare(want, k, func() (trained, error) {
			if k.graph {
				return x.trainCaptured(ctx, cfg, k.state, batches)
			}
			return x.train(ctx, x.engine, cfg, k.state, batches)
		})
		values[k.name] = figures
		if ok {
			said = append(said, text)
		} else {
			wrong, instead = append(wrong, text), append(instead, k.instead)
		}
	}
	if len(wrong) > 0 {
		return fail("do not train so: set "+strings.Join(instead, " or ")+", or choose --device cpu", "%d iterations of streets %s: %s (allowed: %s)", iterations, x.onDevice(), some(append(wrong, said...)), x.allowed()).with(values)
	}
	return pass("%d iterations of streets %s as on the CPU with the state on the host; %s (allowed: %s)", iterations, x.onDevice(), some(said), x.allowed()).with(values)
}

// trainCaptured trains on another engine of the device, that captures networks.
func (x *examination) trainCaptured(ctx context.Context, cfg configs.Config, state string, batches []*datasets.Batch) (got trained, err error) {
	var uncaptured []string
	count := 0
	e, err := x.open(func(o *engine.Options) {
		o.Device, o.CUDA.Graph = x.engine.Info().Device, true
		o.Placed = func(p engine.Placement) {
			x.placements = append(x.placements, p)
			if p.Captured {
				count++
			}
			if p.Uncaptured != "" {
				uncaptured = append(uncaptured, p.Session+": "+p.Uncaptured)
			}
		}
	})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	got, err = x.train(ctx, e, cfg, state, batches)
	if got.uncaptured = uncaptured; err == nil && count == 0 {
		return got, errors.New("no network is captured: " + strings.Join(uncaptured, "; "))
	}
	return got, err
}

// compare holds a training against what is wanted.
func (x *examination) compare(want trained, k training, train func() (trained, error)) (text string, ok bool, figures map[string]any) {
	got, err := train()
	if err != nil {
		return fmt.Sprintf("with %s: %v", k.where, err), false, map[string]any{"error": err.Error()}
	}
	first, worst := differences(want.losses, got.losses)
	text = fmt.Sprintf("with %s losses differ by %.2g", k.where, worst)
	figures = map[string]any{"first_difference": number(first), "largest_difference": number(worst), "h2d": got.toDevice, "d2h": got.back}
	if len(got.uncaptured) > 0 {
		text += fmt.Sprintf(" (%s cannot be captured, the first is %s)", plural.Of(len(got.uncaptured), "session", "sessions"), got.uncaptured[0])
		figures["uncaptured"] = got.uncaptured
	}
	return text, x.acceptable(first, worst), figures
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
