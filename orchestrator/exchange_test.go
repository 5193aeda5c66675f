package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/nccl"
	"t2sda/internal/nccl/nccltest"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// TestExchangeOf: ranks use NCCL where all can, and what is in the way is said, once.
func TestExchangeOf(t *testing.T) {
	can := func(told string) equipment { return equipment{Exchange: told, OnGPU: true, NCCL: "2.27.3"} }
	host := func(told string) equipment { return equipment{Exchange: told} }
	broken, old := can("auto"), can("auto")
	broken.Fault, old.NCCL = "there is no libnccl", "2.18.1"
	told := func(by string, m equipment) equipment { m.Exchange = by; return m }
	for _, k := range []struct {
		all      []equipment
		use      bool
		why, err string
	}{
		{all: []equipment{can("auto"), can("auto")}, use: true},
		{all: []equipment{can("nccl"), can("nccl")}, use: true},
		{all: []equipment{host("mpi"), host("mpi")}},
		{all: []equipment{can("mpi"), can("mpi")}},
		{all: []equipment{host("auto"), host("auto")}},
		{all: []equipment{can("auto"), host("auto")}, why: "the gradients of rank 1 are not in a GPU's memory: set runtime.device=cuda and"},
		{all: []equipment{can("auto"), broken}, why: "rank 1: there is no libnccl"},
		{all: []equipment{can("auto"), old}, why: "rank 1 has NCCL 2.18.1 and rank 0 NCCL 2.27.3: install one version"},
		{all: []equipment{can("auto"), can("nccl")}, err: "rank 1 was told runtime.exchange=nccl and rank 0 auto"},
		{all: []equipment{host("nccl"), host("nccl")}, err: "runtime.exchange=nccl, but the gradients of rank 0 are not in a GPU's memory"},
		{all: []equipment{can("nccl"), told("nccl", broken)}, err: "runtime.exchange=nccl, but rank 1: there is no libnccl; or set runtime.exchange=auto"},
	} {
		use, why, err := exchangeOf(k.all, func(rank int) string { return fmt.Sprint("rank ", rank) })
		if use != k.use || (err == nil) != (k.err == "") || err != nil && !strings.Contains(err.Error(), k.err) || err == nil && (why == "") != (k.why == "") || !strings.Contains(why, k.why) {
			t.Errorf("%+v: %t, %q, %v", k.all, use, why, err)
		}
	}
}

// TestConnect: on CPUs ranks exchange by MPI, whatever is installed, and NCCL that was asked
// for is an error of all.
func TestConnect(t *testing.T) {
	e := enginetest.Open(t, engine.Options{Device: "cpu"})
	for told, want := range map[string]string{"": "", "auto": "", "mpi": "", "nccl": "the gradients of rank 0 (node-0) are not in a GPU's memory"} {
		for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
			c := configs.Default()
			c.Runtime.State, c.Runtime.Exchange = "device", told
			wire, end, err := Options{Ranks: g, Log: zap.NewNop()}.connect(t.Context(), c, e, rankGPUOf(e))
			end(true)
			if wire != nil {
				t.Errorf("%s: rank %d has a wire", told, g.Rank())
			}
			return err
		}) {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: rank %d has %v", told, rank, err)
			}
		}
	}
}

// TestConnectGPUs: ranks with GPUs have a wire, or gradients pass through the host and a
// warning says why.
func TestConnectGPUs(t *testing.T) {
	engines := []*engine.Engine{enginetest.Open(t, engine.Options{Device: "cpu"}), enginetest.Open(t, engine.Options{Device: "cpu"})}
	works, other, fails := nccltest.Build(t), nccltest.Build(t, "-DVERSION=21803"), nccltest.Build(t, "-DINIT=1")
	for _, k := range []struct {
		libraries [2]string
		want      string // of the warning; empty: a wire
	}{
		{[2]string{works, works}, ""},
		{[2]string{works, other}, "rank 1 (node-0) has NCCL 2.18.3 and rank 0 NCCL 2.27.3"},
		{[2]string{works, fails}, "rank 1 (node-0): ncclCommInitRank of NCCL 2.27.3"},
		{[2]string{"libnccl-none.so.2", works}, "rank 0 (node-0): NCCL, 2.7 or later, cannot be loaded"},
	} {
		t.Setenv("TMPDIR", t.TempDir())
		for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
			core, logs := observer.New(zap.WarnLevel)
			c := configs.Default()
			c.Runtime.State = "device"
			gpu := rankGPU{true, func() (*nccl.Library, error) { return nccl.Open(k.libraries[g.Rank()]) }, onHostStream}
			wire, end, err := Options{Ranks: g, Log: zap.New(core)}.connect(t.Context(), c, engines[g.Rank()], gpu)
			if err != nil {
				return err
			}
			end(true)
			warned := ""
			if all := logs.All(); len(all) == 1 {
				warned = all[0].Message
			}
			if (wire != nil) != (k.want == "") || (warned == "") != (k.want == "") || !strings.Contains(warned, k.want) {
				return fmt.Errorf("a wire %v, the warning %q, of %v", wire, warned, logs.All())
			}
			return nil
		}) {
			if err != nil {
				t.Errorf("%+v: rank %d has %v", k, rank, err)
			}
		}
	}
}

// TestConnectStops: ranks of which one is told to stop while it tries its GPU all stop, and do
// not take it for a fault.
func TestConnectStops(t *testing.T) {
	e, file := enginetest.Open(t, engine.Options{Device: "cpu"}), nccltest.Build(t)
	t.Setenv("TMPDIR", t.TempDir())
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := configs.Default()
		c.Runtime.State, c.Runtime.Exchange = "device", configs.ExchangeNCCL
		stream := func() (nccl.Stream, error) {
			if g.Rank() == 1 {
				cancel()
			}
			return onHostStream()
		}
		gpu := rankGPU{true, func() (*nccl.Library, error) { return nccl.Open(file) }, stream}
		_, end, err := Options{Ranks: g, Log: zap.NewNop()}.connect(ctx, c, e, gpu)
		end(true)
		return err
	}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rank %d has %v", rank, err)
		}
	}
}

func onHostStream() (nccl.Stream, error) { return nccltest.NewStream() }

// TestJoin: ranks find each other, and what arrives is looked at before it is trusted; what
// is wrong ends the job before anything is closed.
func TestJoin(t *testing.T) {
	engines := []*engine.Engine{enginetest.Open(t, engine.Options{Device: "cpu"}), enginetest.Open(t, engine.Options{Device: "cpu"})}
	for flag, want := range map[string]string{"-DLOST=0": "", "-DLOST": "of rank 0 (node-0) came 0, not", "-DINIT=1": "ncclCommInitRank of NCCL 2.27.3"} {
		t.Setenv("TMPDIR", t.TempDir())
		library, err := nccl.Open(nccltest.Build(t, flag))
		if err != nil {
			t.Fatal(err)
		}
		for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
			ended := ""
			g.EndBy(func(err error) { ended = err.Error() })
			comm, err := join(g, engines[g.Rank()], library, onHostStream)
			if err != nil {
				if !strings.Contains(ended, want) || comm != nil {
					t.Errorf("%s: rank %d has ended the job with %q", flag, g.Rank(), ended)
				}
				return err
			}
			return comm.Close()
		}) {
			if alone := errors.As(err, new(*ranks.AloneError)); alone != (want != "") || alone && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "; or set runtime.exchange=mpi")) {
				t.Errorf("%s: rank %d has %v", flag, rank, err)
			}
		}
	}
}
