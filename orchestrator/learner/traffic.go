package learner

import (
	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
)

// Traffic is what ranks of one micro-batch each tell each other in an iteration, bytes.
type Traffic struct {
	Gradients int64 // which are summed up
	Told      int64 // by each rank to all others: what the pull's plan asks of its positions and features
	Drawn     int64 // features of negatives, by all ranks together to all
}

// TrafficOf returns the traffic of a configuration's network, for a number of
// classes, and method.
func TrafficOf(cfg configs.Config, classes int) (t Traffic, err error) {
	const float32s, float64s = 4, 8
	arch := Arch(cfg, classes)
	specs, err := arch.Params()
	for _, p := range specs {
		t.Gradients += float32s * int64(p.Shape.Size())
	}
	if err != nil || !cfg.UsesPull() {
		return t, err
	}
	positions := 0
	_, err = graphs.Build("features", func(g *graphs.Graph) {
		image := g.Input("image", graphs.Float32, cfg.Train.Batch, 3, cfg.Data.Crop.Height, cfg.Data.Crop.Width)
		f := nets.New(g, arch, nets.Teacher, nil).Features(image) // [N,D,h,w]
		positions = f.Dim(0) * f.Dim(2) * f.Dim(3)
	})
	perClass := int64(arch.Classes) * int64(arch.ProjectorWidth)
	// A label of the source, a label and a confidence of the target.
	t.Told = int64(positions)*(1+1+float32s) + perClass*float64s
	t.Drawn = perClass * int64(cfg.Loss.Pull.Negatives) * float32s
	return t, err
}
