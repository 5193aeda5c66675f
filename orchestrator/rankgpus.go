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

// sight is what a rank sees of its machine.
type sight struct {
	Node   string
	Device string   // runtime.device
	GPUs   []string // their UUIDs, by CUDA's ordinals; none where the device is the CPU, or nothing is known
}

// noGPU is the ordinal of a rank without GPU.
const noGPU = -1

// sightOf looks at this rank's machine.
func sightOf(device string, g *ranks.Group) sight {
	s := sight{Node: g.Node(), Device: device}
	if device == "cpu" {
		return s
	}
	if driver, err := nvidia.Look(); err == nil { // else the engine says what is wrong
		for _, gpu := range driver.GPUs {
			s.GPUs = append(s.GPUs, gpu.UUID)
		}
	}
	return s
}

// told returns the ordinal that the device names, if it does.
func (s sight) told() (ordinal int, ok bool) {
	text, ok := strings.CutPrefix(s.Device, "cuda:")
	ordinal, err := strconv.Atoi(text)
	return ordinal, ok && err == nil
}

// gpu identifies a GPU among those of all machines.
func (s sight) gpu(ordinal int) [2]string {
	if ordinal < len(s.GPUs) {
		return [2]string{s.Node, s.GPUs[ordinal]}
	}
	return [2]string{s.Node, fmt.Sprintf("cuda:%d", ordinal)}
}

// gpusOf returns the ordinal of each rank's GPU. Those that are told first, the others take
// the first that is left, or [noGPU]. Two ranks that are told the same one are an error.
func gpusOf(all []sight) ([]int, error) {
	gpus := slices.Repeat([]int{noGPU}, len(all))
	taken := map[[2]string]int{}
	take := func(rank, ordinal int) bool {
		gpu := all[rank].gpu(ordinal)
		if _, is := taken[gpu]; is {
			return false
		}
		taken[gpu], gpus[rank] = rank, ordinal
		return true
	}
	for rank, s := range all {
		ordinal, ok := s.told()
		if ok && !take(rank, ordinal) {
			return nil, fmt.Errorf("ranks %d and %d of %s were both told the same GPU, %s: with runtime.device=cuda each takes one of its own", taken[s.gpu(ordinal)], rank, s.Node, s.Device)
		}
	}
	for rank, s := range all {
		if s.Device != "cuda" && s.Device != "auto" {
			continue
		}
		for ordinal := 0; ordinal < max(1, len(s.GPUs)); ordinal++ {
			if take(rank, ordinal) {
				break
			}
		}
	}
	return gpus, nil
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
	all, err := tell(g, sightOf(o.Device, g))
	if err != nil {
		return nil, err
	}
	gpus, err := gpusOf(all)
	if err := g.Agree(err); err != nil {
		return nil, err
	}
	e, err := openOn(o, g.Node(), gpus[g.Rank()])
	if failed := g.Agree(err); failed != nil {
		if err == nil {
			failed = errors.Join(failed, e.Close())
		}
		return nil, failed
	}
	return e, nil
}

// openOn opens the engine on the GPU of that ordinal of a node, where the device is to be
// one.
func openOn(o engine.Options, node string, gpu int) (*engine.Engine, error) {
	none := fmt.Errorf("no GPU of %s is left for this rank: start as many ranks on a machine as it has GPUs", node)
	mine := func() (*engine.Engine, error) {
		o.Device = fmt.Sprintf("cuda:%d", gpu)
		return engine.Open(o)
	}
	switch o.Device {
	case "cuda":
		if gpu == noGPU {
			return nil, none
		}
		return mine()
	case "auto":
		e, err := engine.Open(o)
		if err != nil {
			return nil, err
		}
		ordinal, onGPU := e.Info().GPU()
		if !onGPU || ordinal == gpu {
			return e, nil
		}
		if err := e.Close(); err != nil {
			return nil, err
		}
		if gpu == noGPU {
			return nil, none
		}
		return mine()
	}
	return engine.Open(o)
}
