package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/internal/nccl"
	"t2sda/internal/ranks"
)

// Gradients of ranks travel through the host's memory by MPI, or, where they lie in the memory
// of GPUs, from GPU to GPU by NCCL. All ranks do the same.

// rankGPU is a rank's GPU, and what could reach others from it.
type rankGPU struct {
	is     bool // there is one
	find   func() (*nccl.Library, error)
	stream func() (nccl.Stream, error)
}

// rankGPUOf is the GPU of an engine.
func rankGPUOf(e *engine.Engine) rankGPU {
	ordinal, is := e.Info().GPU()
	return rankGPU{is, nccl.Find, nccl.OnGPU(ordinal)}
}

// equipment is what a rank says of this.
type equipment struct {
	Exchange string // runtime.exchange
	OnGPU    bool   // gradients are in a GPU's memory
	Fault    string // why NCCL does not work there; empty: it does
	NCCL     string // its version
}

// connect lets the GPUs of ranks speak with each other, where that is configured and can be,
// until end is called, which is told whether all ranks do so. Without an error and a wire,
// gradients pass through the host's memory.
func (o Options) connect(ctx context.Context, cfg configs.Config, e *engine.Engine, gpu rankGPU) (wire ranks.Wire, end func(all bool), err error) {
	g, end := o.Ranks, func(bool) {}
	if g.Size() == 1 {
		return nil, end, nil
	}
	library, mine := equipmentOf(ctx, cfg, gpu)
	if err := g.Agree(ctx.Err()); err != nil { // which is no fault of NCCL's
		return nil, end, err
	}
	all, err := ranks.Tell(g, mine)
	if err != nil {
		return nil, end, err
	}
	use, why, err := exchangeOf(all, g.Name)
	if err := g.Agree(err); err != nil {
		return nil, end, err
	}
	if why != "" {
		o.Log.Warn("gradients pass through the host's memory, as runtime.exchange=mpi says without this warning: " + why)
	}
	o.Log.Info("gradients are added up " + g.Order())
	if !use {
		return nil, end, nil
	}
	comm, err := join(g, e, library, gpu.stream)
	if err != nil {
		return nil, end, err
	}
	o.Log.Info("gradients go from GPU to GPU", zap.Stringer("by", library))
	return comm, func(all bool) {
		leave := comm.Abort
		if all {
			leave = comm.Close
		}
		if err := leave(); err != nil {
			o.Log.Warn(err.Error())
		}
	}, nil
}

// equipmentOf looks at what this rank has.
func equipmentOf(ctx context.Context, cfg configs.Config, gpu rankGPU) (*nccl.Library, equipment) {
	m := equipment{
		Exchange: cmp.Or(cfg.Runtime.Exchange, configs.ExchangeAuto),
		OnGPU:    gpu.is && cfg.Runtime.State == "device",
	}
	if m.Exchange == configs.ExchangeMPI || !m.OnGPU {
		return nil, m
	}
	library, err := gpu.find()
	if err == nil {
		m.NCCL, err = library.Version(), library.Try(ctx, gpu.stream)
	}
	if err != nil {
		m.Fault = err.Error()
		return nil, m
	}
	return library, m
}

// exchangeOf decides for all ranks whether they use NCCL, and where they might have been
// expected to, why not.
func exchangeOf(all []equipment, name func(rank int) string) (use bool, why string, err error) {
	first := all[0]
	users := 0 // ranks whose gradients are in a GPU's memory
	for rank, m := range all {
		if m.Exchange != first.Exchange {
			return false, "", fmt.Errorf("%s was told runtime.exchange=%s and rank 0 %s: give all ranks the same settings", name(rank), m.Exchange, first.Exchange)
		}
		if m.OnGPU {
			users++
		}
	}
	if first.Exchange == configs.ExchangeMPI || first.Exchange == configs.ExchangeAuto && users == 0 {
		return false, "", nil
	}
	why = hindrance(all, name)
	if why != "" && first.Exchange == configs.ExchangeNCCL {
		err = fmt.Errorf("runtime.exchange=nccl, but %s; or set runtime.exchange=auto", why)
	}
	return err == nil && why == "", why, err
}

// hindrance says why ranks cannot use NCCL together, empty: they can.
func hindrance(all []equipment, name func(rank int) string) string {
	for rank, m := range all {
		switch {
		case !m.OnGPU:
			return fmt.Sprintf("the gradients of %s are not in a GPU's memory: set runtime.device=cuda and runtime.state=device", name(rank))
		case m.Fault != "":
			return name(rank) + ": " + m.Fault
		case m.NCCL != all[0].NCCL:
			return fmt.Sprintf("%s has NCCL %s and rank 0 NCCL %s: install one version on all nodes", name(rank), m.NCCL, all[0].NCCL)
		}
	}
	return ""
}

// join makes all ranks known to each other, and makes sure that what they send arrives. A rank
// that fails meanwhile is alone with its error: the others wait for it in NCCL.
func join(g *ranks.Group, e *engine.Engine, library *nccl.Library, device func() (nccl.Stream, error)) (*nccl.Comm, error) {
	id, err := fromLeader(g, library.Unique)
	if err != nil {
		return nil, err
	}
	cannot := func(err error) error {
		return g.Alone(fmt.Errorf("the GPUs of ranks cannot speak with each other: %w; or set runtime.exchange=mpi", err))
	}
	comm, err := library.Join(device, id, g.Rank(), g.Size())
	if err != nil {
		return nil, cannot(err)
	}
	if err := greet(e, g, comm); err != nil {
		return nil, errors.Join(cannot(err), comm.Abort())
	}
	if err := g.Agree(nil); err != nil {
		return nil, errors.Join(err, comm.Abort())
	}
	return comm, nil
}

// greet sends each rank a number, from one GPU's memory to the other's, and looks at what
// comes.
func greet(e *engine.Engine, g *ranks.Group, w ranks.Wire) (err error) {
	size := g.Size()
	a, err := e.NewDeviceArena(2 * size)
	if err != nil {
		return err
	}
	lost := false // the memory: what is under way may still write it
	defer func() {
		if !lost {
			err = errors.Join(err, a.Close())
		}
	}()
	numbers := make([]float32, size)
	for r := range numbers {
		numbers[r] = float32(1 + g.Rank()*size + r)
	}
	if err := a.Write(numbers, 0); err != nil {
		return err
	}
	err = a.Lend(0, 2*size, func(at uintptr) error {
		var send, receive []ranks.Part
		for r := range size {
			send = append(send, ranks.Part{Rank: r, Address: at + uintptr(4*r), Len: 1})
			receive = append(receive, ranks.Part{Rank: r, Address: at + uintptr(4*(size+r)), Len: 1})
		}
		return w.Swap(send, receive)
	})
	if lost = err != nil; lost {
		return err // the engine takes the memory with it
	}
	if err := a.Read(numbers, size); err != nil {
		return err
	}
	for r, have := range numbers {
		if want := float32(1 + r*size + g.Rank()); have != want {
			return fmt.Errorf("of %s came %g, not %g", g.Name(r), have, want)
		}
	}
	return nil
}
