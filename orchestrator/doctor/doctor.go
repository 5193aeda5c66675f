package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"t2sda/graphs/engine"
)

// Options say what is checked, and how thoroughly.
type Options struct {
	Engine  engine.Options // library, device and threads are read
	Quick   bool           // one case of each operator, fewer iterations, smaller blocks
	Version string         // of the program
	Told    func(Check)    // of each check as soon as it ends; nil: nobody
	// Disturb changes what the device gave for an operator's case, for tests of what is
	// said then. Nil: nothing is changed.
	Disturb func(name string, values []float64)
}

// examination is one run of the checks.
type examination struct {
	Options
	report Report
	start  time.Time

	engine *engine.Engine // on the device; nil where there is none
	cpu    *engine.Engine // on the CPU, the same where that is the device
	plain  *engine.Engine // on the CPU, one thread, without optimisations

	placements []engine.Placement
}

// Run makes all checks. The report is whole unless ctx ends, whose error is returned with
// what there is.
func Run(ctx context.Context, o Options) (_ Report, err error) {
	x := &examination{Options: o, start: time.Now()}
	x.report.Time = x.start.UTC().Truncate(time.Second)
	defer func() { err = errors.Join(err, x.close()) }()
	checks := []struct {
		name string
		run  func(ctx context.Context) Check
	}{
		{"program", x.program},
		{"library", x.library},
		{"device", x.device},
		{"nccl", x.nccl},
		{"operators", x.operators},
		{"training", x.training},
		{"placement", x.placement},
		{"bandwidth", x.bandwidth},
		{"products", x.products},
		{"disk", x.disk},
	}
	for _, c := range checks {
		if err := ctx.Err(); err != nil {
			return x.done(), err
		}
		start := time.Now()
		check := c.run(ctx)
		check.Name, check.Seconds = c.name, time.Since(start).Seconds()
		if err := ctx.Err(); err != nil { // what it says is that it was stopped
			return x.done(), err
		}
		if check.Status == "" {
			continue // there is nothing to check
		}
		x.report.Checks = append(x.report.Checks, check)
		if o.Told != nil {
			o.Told(check)
		}
	}
	return x.done(), nil
}

func (x *examination) done() Report {
	x.report.OK = len(x.report.Failed()) == 0
	x.report.Seconds = time.Since(x.start).Seconds()
	return x.report
}

// close lets go of the engines.
func (x *examination) close() error {
	var errs []error
	for _, e := range []*engine.Engine{x.engine, x.cpu, x.plain} {
		if e != nil {
			errs = append(errs, e.Close()) // closing twice does nothing
		}
	}
	return errors.Join(errs...)
}

// open opens an engine of the same library.
func (x *examination) open(change func(o *engine.Options)) (*engine.Engine, error) {
	o := engine.Options{
		Library: x.Engine.Library, Device: x.Engine.Device, IntraOpThreads: x.Engine.IntraOpThreads,
		// An exhaustive search for each small convolution would be most of the time.
		CUDA: engine.CUDAOptions{ConvAlgoSearch: "HEURISTIC"},
	}
	change(&o)
	return engine.Open(o)
}

// errNoDevice is why checks are skipped that need one.
var errNoDevice = errors.New("there is no device to check")

// need is an error where there is no device.
func (x *examination) need() error {
	if x.engine == nil {
		return errNoDevice
	}
	return nil
}

// failed is a check that could not be made.
func failed(err error) Check {
	if errors.Is(err, errNoDevice) {
		return skip("%v", err)
	}
	fix := "see docs/gpu.md; a device that gives errors here cannot be trained on: choose --device cpu"
	if engine.OutOfMemory(err) {
		fix = "free memory that other programs hold"
	}
	return fail(fix, "%v", err)
}

// onDevice is how the device is called in details.
func (x *examination) onDevice() string { return fmt.Sprintf("on %s", x.engine.Info().Device) }
