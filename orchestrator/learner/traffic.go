package learner

import (
	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/internal/ranks"
)

// Traffic is what ranks of one micro-batch each tell each other in an iteration, bytes.
type Traffic struct {
	Gradients  int64 // which are summed up
	Block      int64 // of which so many at a time
	Told       int64 // by each rank to all others: what the pull's plan asks of its positions and features
	Statistics int64 // by each rank to all others: its batch norms' means and variances, of every run
	Drawn      int64 // features of negatives, by all ranks together to all
	Meetings   int64 // messages of a few bytes of each rank to all: counts, verdicts, losses
}

const (
	// meetings are verdicts after the stages and on whether to stop (two gathers each: lengths
	// and texts), the count of labels, and losses: of any method.
	meetings = 4*2 + 1 + 2
	// pullMeetings are the further verdicts of the pull's plan, and those of the five gathers
	// of Traffic.Told that come after the first.
	pullMeetings = 4*2 + 4
)

// TrafficOf returns the traffic of a configuration's network, for a number of
// classes, and method. Of terms that it knows nothing of (adversaries, rounds, memories) and
// of HRDA's details nothing is counted.
func TrafficOf(cfg configs.Config, classes int) (t Traffic, err error) {
	const float32s, float64s = 4, 8
	arch := Arch(cfg, classes)
	specs, err := arch.Params()
	for _, p := range specs {
		t.Gradients += float32s * int64(p.Shape.Size())
	}
	if err != nil {
		return t, err
	}
	t.Block, t.Meetings = blockOf(cfg), meetings
	statistics, err := statisticsOf(cfg, arch)
	t.Statistics = float32s * statistics * runsOf(cfg)
	if err != nil || !cfg.UsesPull() {
		return t, err
	}
	grid, err := featureGrid(arch, imageBatch{cfg.Train.Batch, cfg.Data.Crop.Height, cfg.Data.Crop.Width})
	perClass := int64(arch.Classes) * int64(arch.ProjectorWidth)
	// A label of the source, a label and a confidence of the target; sums of features; of 256
	// labels how many there are and how sure of them the teacher is.
	t.Told = int64(grid.Positions())*(1+1+float32s) + perClass*float64s + 2*256*float64s
	t.Drawn = perClass * int64(cfg.Loss.Pull.Negatives) * float32s
	t.Meetings += pullMeetings
	return t, err
}

// blockOf is how many bytes of gradients ranks add up at a time: on GPUs, if they stay
// there, or in the host's memory.
func blockOf(cfg configs.Config) int64 {
	r := cfg.Runtime
	if r.Exchange != configs.ExchangeMPI && r.State == "device" && r.Device != "cpu" {
		return 4 * mostSwapped
	}
	return 4 * ranks.MostAdded
}

// runsOf counts the runs of an iteration whose batch statistics move the running ones.
func runsOf(cfg configs.Config) (n int64) {
	n = 1
	if cfg.CEDomain() == configs.DomainBoth {
		n = 2
	}
	for _, uses := range []bool{cfg.UsesMix(), cfg.UsesMask(), cfg.UsesViews()} {
		if uses {
			n++
		}
	}
	return n
}

// statisticsOf counts means and variances of batch norms in one run that trains.
func statisticsOf(cfg configs.Config, arch nets.Arch) (n int64, err error) {
	_, err = graphs.Build("statistics", func(g *graphs.Graph) {
		net := nets.New(g, arch, nets.Train, nil)
		net.Logits(g.Input("image", graphs.Float32, cfg.Train.Batch, 3, cfg.Data.Crop.Height, cfg.Data.Crop.Width))
		for _, s := range net.BatchStats() {
			n += int64(s.Mean.Shape().Size() + s.Var.Shape().Size())
		}
	})
	return n, err
}
