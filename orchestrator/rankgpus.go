package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/internal/nvidia"
	"t2sda/internal/ranks"
)

// Ranks of one machine share its GPUs out: each takes one that it sees and that no rank
// before it has. Launchers may show every rank all GPUs of the machine, as mpirun does, or
// one each, as srun --gpus-per-task=1, and then each rank calls its own the first.

// seen is what a rank sees of its machine.
type seen struct {
	Node   string
	Device string   // runtime.device
	GPUs   []string // what tells them apart, by CUDA's ordinals; none where the device is the CPU, or nothing is known
	Fault  string   // why nothing is known of GPUs, although there is a driver
}

// noGPU is the ordinal of a rank without GPU.
const noGPU = -1

// look looks at this rank's machine.
func look(device string, g *ranks.Group) seen {
	s := seen{Node: g.Node(), Device: device}
	if device == "cpu" {
		return s
	}
	driver, err := nvidia.Look()
	if err != nil {
		if !errors.Is(err, nvidia.ErrNoDriver) {
			s.Fault = err.Error()
		}
		return s // where there is no driver the engine says so
	}
	for _, gpu := range driver.GPUs {
		s.GPUs = append(s.GPUs, gpu.ID())
	}
	return s
}

// told returns the ordinal that the device names, if it does.
func (s seen) told() (ordinal int, ok bool) {
	text, ok := strings.CutPrefix(s.Device, "cuda:")
	ordinal, err := strconv.Atoi(text)
	return ordinal, ok && err == nil
}

// takesAny reports whether any GPU will do.
func (s seen) takesAny() bool { return s.Device == "cuda" || s.Device == "auto" }

// gpu identifies a GPU among those of all machines.
func (s seen) gpu(ordinal int) [2]string {
	if ordinal < len(s.GPUs) {
		return [2]string{s.Node, s.GPUs[ordinal]}
	}
	return [2]string{s.Node, fmt.Sprintf("cuda:%d", ordinal)}
}

// gpuShares shares GPUs out.
type gpuShares struct {
	all   []seen
	gpus  []int             // ordinals, by ranks
	taken map[[2]string]int // ranks, by GPUs
}

// gpusOf returns the ordinal of each rank's GPU. Those that are told first, the others take
// the first that is left, or [noGPU]: as many ranks have one as can. Two ranks that are told
// the same one are an error.
func gpusOf(all []seen) ([]int, error) {
	x := &gpuShares{all, slices.Repeat([]int{noGPU}, len(all)), map[[2]string]int{}}
	for rank, s := range all {
		ordinal, ok := s.told()
		if !ok {
			continue
		}
		gpu := s.gpu(ordinal)
		if other, is := x.taken[gpu]; is {
			return nil, fmt.Errorf("ranks %d and %d of %s were both told the same GPU, %s: with runtime.device=cuda each takes one of its own", other, rank, s.Node, s.Device)
		}
		x.taken[gpu], x.gpus[rank] = rank, ordinal
	}
	for rank, s := range all {
		if s.takesAny() {
			x.serve(rank, map[[2]string]bool{})
		}
	}
	return x.gpus, nil
}

// serve gives a rank the first GPU that it sees and that is free, or else one that another
// rank can do without, and so on: an augmenting path of a bipartite graph. Tried are GPUs
// that were looked at on the way.
func (x *gpuShares) serve(rank int, tried map[[2]string]bool) bool {
	s := x.all[rank]
	ordinals := max(1, len(s.GPUs))
	for ordinal := range ordinals {
		if _, is := x.taken[s.gpu(ordinal)]; !is {
			x.taken[s.gpu(ordinal)], x.gpus[rank] = rank, ordinal
			return true
		}
	}
	for ordinal := range ordinals {
		gpu := s.gpu(ordinal)
		if tried[gpu] {
			continue
		}
		tried[gpu] = true
		if other := x.taken[gpu]; x.all[other].takesAny() && x.serve(other, tried) {
			x.taken[gpu], x.gpus[rank] = rank, ordinal
			return true
		}
	}
	return false
}

// noneLeft is the error of a rank for which there is no GPU.
func (s seen) noneLeft() error {
	if s.Fault != "" {
		return fmt.Errorf("a GPU of %s for this rank cannot be told from those of others: %s: mend that, or give each rank its own by runtime.device=cuda:N", s.Node, s.Fault)
	}
	return fmt.Errorf("no GPU of %s is left for this rank: start as many ranks on a machine as it has GPUs", s.Node)
}

// openRank opens the engine of a rank.
func openRank(cfg configs.Config, o Options) (*engine.Engine, error) {
	return OpenRank(o.Ranks, vetting(cfg, o.Vet, o.Log))
}

// OpenRank opens the engine of a rank, whose GPU is no other rank's.
func OpenRank(g *ranks.Group, o engine.Options) (*engine.Engine, error) {
	if g.Size() == 1 {
		return engine.Open(o)
	}
	all, err := ranks.Tell(g, look(o.Device, g))
	if err != nil {
		return nil, err
	}
	gpus, err := gpusOf(all)
	if err := g.Agree(err); err != nil {
		return nil, err
	}
	e, err := openOn(g, o, all[g.Rank()], gpus[g.Rank()])
	if err := agreed(g.Agree, err, func() error { return e.Close() }); err != nil {
		return nil, err
	}
	return e, nil
}

// openOn opens the engine on the GPU of that ordinal, where the device is to be one. A rank
// that may do without, and for which none is left, does as the others of its machine do: the
// CPU is for ranks of machines whose GPUs cannot be used at all.
func openOn(g *ranks.Group, o engine.Options, s seen, gpu int) (e *engine.Engine, err error) {
	waits := o.Device == "auto" && gpu == noGPU
	switch {
	case o.Device == "cuda" && gpu == noGPU:
		err = s.noneLeft()
	case !waits:
		o.Ordinal = max(0, gpu)
		e, err = engine.Open(o)
	}
	uses := ""
	if e != nil && onGPU(e) {
		uses = s.Node
	}
	nodes, tellErr := ranks.Tell(g, uses)
	if tellErr != nil {
		if e != nil {
			tellErr = errors.Join(tellErr, e.Close())
		}
		return nil, errors.Join(err, tellErr)
	}
	if !waits {
		return e, err
	}
	if slices.Contains(nodes, s.Node) {
		return nil, s.noneLeft()
	}
	if e, err = engine.Open(o); err == nil && onGPU(e) { // it works now, and may be another rank's
		return nil, errors.Join(s.noneLeft(), e.Close())
	}
	return e, err
}

func onGPU(e *engine.Engine) bool {
	_, is := e.Info().GPU()
	return is
}
