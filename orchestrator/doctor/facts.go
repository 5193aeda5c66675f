package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"t2sda/graphs/engine"
	"t2sda/internal/nccl"
	"t2sda/internal/nvidia"
	"t2sda/internal/sha256sum"
)

// program tells what runs, and where.
func (x *examination) program(context.Context) Check {
	return pass("t2sda %s, %s, %s/%s, %d cores", x.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()).with(map[string]any{
		"version": x.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cores": runtime.NumCPU(),
	})
}

// library loads ONNX Runtime, for the CPU, which every library has.
func (x *examination) library(context.Context) Check {
	device := x.Engine.Device
	file, err := engine.DiscoverFor(x.Engine.Library, device)
	if err != nil {
		return libraryFailed(err)
	}
	x.Engine.Library = file // for all that follows
	if x.plain, err = x.open(func(o *engine.Options) {
		o.Device, o.IntraOpThreads, o.OptimizationLevel = "cpu", 1, engine.OptimizeNone
	}); err != nil {
		return libraryFailed(err)
	}
	info := x.plain.Info()
	digest, err := sha256sum.File(info.File)
	if err != nil {
		return failed(err)
	}
	return pass("ONNX Runtime %s, %s, providers that work: %s, sha256 %s…", info.Version, info.File, strings.Join(info.Providers, ", "), digest[:12]).with(map[string]any{
		"version": info.Version, "file": info.File, "providers": info.Providers, "sha256": digest,
	})
}

// libraryFailed splits the error into what is wrong and what mends it.
func libraryFailed(err error) Check {
	if lib := new(engine.LibraryError); errors.As(err, &lib) {
		reason, fix := lib.Parts()
		return fail(fix, "%s", reason)
	}
	return fail("choose another library or device", "%v", err)
}

// device opens the device, and tells what its driver says of it.
func (x *examination) device(context.Context) Check {
	if x.plain == nil {
		return skip("there is no library")
	}
	placed := func(o *engine.Options) {
		o.Placed = func(p engine.Placement) { x.placements = append(x.placements, p) }
	}
	driver, driverErr := nvidia.Look()
	var why error // CUDA is not used
	if x.Engine.Device == "auto" {
		if x.engine, why = x.open(func(o *engine.Options) { placed(o); o.Device = "cuda" }); why != nil {
			if driverErr == nil && len(driver.GPUs) > 0 {
				c := libraryFailed(why)
				c.Detail = fmt.Sprintf("this machine has a GPU (%s), but training would run on the CPU: %s", driver.GPUs[0].Name, c.Detail)
				x.Engine.Device = "cpu"
				return x.opened(c)
			}
			x.Engine.Device = "cpu"
			if errors.Is(driverErr, nvidia.ErrNoDriver) {
				why = driverErr // and what the library lacks does not matter
			}
		}
	}
	if x.engine == nil {
		var err error
		if x.engine, err = x.open(placed); err != nil {
			return libraryFailed(err)
		}
	}
	return x.opened(x.describe(driver, why))
}

// opened makes what checks compare the device with.
func (x *examination) opened(c Check) Check {
	var err error
	if x.engine == nil {
		if x.engine, err = x.open(func(o *engine.Options) { o.Device = "cpu" }); err != nil {
			return libraryFailed(err)
		}
	}
	x.cpu = x.engine
	if x.engine.HasOwnMemory() {
		if x.cpu, err = x.open(func(o *engine.Options) { o.Device = "cpu" }); err != nil {
			return libraryFailed(err)
		}
	}
	return c
}

// describe tells what device is used; why is the reason for which CUDA is not.
func (x *examination) describe(driver *nvidia.Driver, why error) Check {
	info := x.engine.Info()
	name := info.Device
	ordinal, ok := info.GPU()
	if !ok {
		detail := name
		if why != nil {
			detail += " (auto: " + why.Error() + ")"
		}
		return pass("%s", detail).with(map[string]any{"device": name})
	}
	if driver == nil || ordinal >= len(driver.GPUs) {
		return pass("%s; its driver does not say what it is", name).with(map[string]any{"device": name})
	}
	g := driver.GPUs[ordinal]
	values := map[string]any{"device": name, "gpu": g, "driver": driver.Version, "cuda": nvidia.CUDAText(driver.CUDA)}
	detail := fmt.Sprintf("%s: %s, compute capability %s, %d MiB", name, g.Name, g.Capability, g.Memory>>20)
	if m, err := nvidia.OpenMeter(g); err == nil {
		defer m.Close()
		if used, err := m.Used(); err == nil {
			values["used"] = used
			detail += fmt.Sprintf(" (%d in use)", used>>20)
		}
	}
	return pass("%s, driver %s, CUDA up to %s", detail, driver.Version, nvidia.CUDAText(driver.CUDA)).with(values)
}

// nccl tells by what several GPUs exchange gradients, where the device is a GPU; elsewhere
// nothing. Training on one GPU needs none.
func (x *examination) nccl(ctx context.Context) Check {
	if x.engine == nil {
		return Check{}
	}
	ordinal, ok := x.engine.Info().GPU()
	if !ok {
		return Check{}
	}
	gpus := 1
	if driver, err := nvidia.Look(); err == nil {
		gpus = len(driver.GPUs)
	}
	return ncclOn(ctx, nccl.OnGPU(ordinal), gpus)
}

// ncclOn looks at the library by a device, which is one of so many GPUs. One that does not
// work is no fault of a machine that has no use for it.
func ncclOn(ctx context.Context, device func() (nccl.Stream, error), gpus int) Check {
	library, err := nccl.Find()
	if err != nil {
		return skip("only runs of several GPUs ask for it: %v", err)
	}
	values := map[string]any{"version": library.Version()}
	err = library.Try(ctx, device)
	switch {
	case err == nil:
		return pass("%v, for runs of several GPUs", library).with(values)
	case gpus < 2:
		return skip("only runs of several GPUs ask for it: %v", err).with(values)
	}
	const fix = "install the NCCL of the driver's CUDA (pip's nvidia-nccl-cu12 or -cu13) and name its file in " + nccl.LibraryEnv + "; or set runtime.exchange=mpi, which runs of several GPUs fall back to"
	return fail(fix, "%v", err).with(values)
}
