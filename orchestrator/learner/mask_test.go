package learner

import (
	"context"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/translate"
)

// masked is [small] with L_S and L_M only, and nothing random in the network.
func masked() configs.Config {
	c := small()
	c.Method, c.Loss.Mask.Block, c.Loss.Mask.Weight = "source+mask", 16, 0.5
	c.Loss.IgnoreTop, c.Loss.IgnoreBottom = 4.0/cropSize, 8.0/cropSize
	c.Model.DropPath, c.Model.Dropout = 0, 0
	return c
}

// maskOf is the term of a learner whose configuration is c.
func maskOf(l *Learner, c configs.Mask) *maskTerm {
	return &maskTerm{l, translate.DefaultStrongAugment(), translate.BlockMask{Block: c.Block, Ratio: c.Ratio}}
}

// TestMaskLoss compares L_M with the mean over all pixels of q times the cross-entropy,
// 0 in the rims, written out in float64 from the student's logits of the masked images
// and the teacher's labels of the whole ones.
func TestMaskLoss(t *testing.T) {
	l := open(t, masked(), zap.NewNop())
	b, size := batch(l.cfg, 0), l.crops()
	images := maskOf(l, l.cfg.Loss.Mask).images(0, b)
	logits := studentLogits(t, l, images)
	step, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return b, nil })
	if err != nil {
		t.Fatal(err)
	}
	pixels, want := size.H*size.W, 0.0
	for n := range size.N {
		confident := 0
		for _, c := range l.target.confidence[n*pixels : (n+1)*pixels] {
			if c >= float32(l.cfg.Loss.Delta) {
				confident++
			}
		}
		q := float64(confident) / float64(pixels)
		if q == 0 || q != step.Quality[n] {
			t.Errorf("q of image %d is recorded as %g, want %g, not 0", n, step.Quality[n], q)
		}
		for y := 4; y < size.H-8; y++ {
			for x := range size.W {
				label := int(l.target.pseudo[n*pixels+y*size.W+x])
				want += q / float64(size.N*pixels) * logits.crossEntropy(n, x, y, size, label)
			}
		}
	}
	if have := step.Losses["mask"]; !(want > 0) || math.Abs(have-want) > 1e-4*want {
		t.Errorf("L_M is %g, want %g", have, want)
	}
}

// logitMap are logits [N,C,h,w].
type logitMap struct {
	data  []float32
	shape graphs.Shape
}

// studentLogits are the student's for images, by batch statistics.
func studentLogits(t *testing.T, l *Learner, images []*raster.Image) (m logitMap) {
	t.Helper()
	p, image, err := l.state.onImages(l.engine, "logits", l.state.student, l.arch, nets.Teacher, l.crops(), func(p *program.Program, net *nets.Net, image *graphs.Value) {
		y := net.Logits(image)
		m = logitMap{program.Output[float32](p, "logits", y), y.Shape()}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fillImages(image, images)
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// crossEntropy is −log softmax of image n's logits, brought to the image's size
// linearly, at a pixel and its label.
func (m logitMap) crossEntropy(n, x, y int, size imageBatch, label int) float64 {
	y0, y1, v := between(y, size.H, m.shape[2])
	x0, x1, u := between(x, size.W, m.shape[3])
	sum, own := 0.0, 0.0
	for c := range m.shape[1] {
		plane := m.data[(n*m.shape[1]+c)*m.shape[2]*m.shape[3]:]
		at := func(y, x int) float64 { return float64(plane[y*m.shape[3]+x]) }
		z := (1-v)*((1-u)*at(y0, x0)+u*at(y0, x1)) + v*((1-u)*at(y1, x0)+u*at(y1, x1))
		if sum += math.Exp(z); c == label {
			own = z
		}
	}
	return math.Log(sum) - own
}

// between are the two positions of n that pixel i of size lies between, and the share
// of the second (half-pixel centres).
func between(i, size, n int) (a, b int, share float64) {
	at := min(max((float64(i)+0.5)*float64(n)/float64(size)-0.5, 0), float64(n-1))
	a = int(at)
	return a, min(a+1, n-1), at - float64(a)
}

// TestMaskedImages: what is hidden is what the network sees as 0, most of the blocks are,
// the rest is the augmented image, and every image of a batch has a mask of its own, the
// same whenever it is drawn.
func TestMaskedImages(t *testing.T) {
	l := open(t, masked(), zap.NewNop())
	drawn := batch(l.cfg, 0)
	target := drawn.Target
	before := target[0].Clone()
	whole, none := maskOf(l, configs.Mask{Block: 16}).images(7, drawn), maskOf(l, configs.Mask{Block: 16, Ratio: 0.7})
	hidden, again, later := none.images(7, drawn), none.images(7, drawn), none.images(8, drawn)
	masks := make([][]bool, 2)
	for n, image := range hidden {
		if !slices.Equal(image.Pix, again[n].Pix) || slices.Equal(image.Pix, later[n].Pix) {
			t.Errorf("image %d: drawn again it is another, or an iteration later the same", n)
		}
		for i := range cropSize * cropSize {
			is := image.Plane(0)[i] == l.arch.Mean[0] && image.Plane(1)[i] == l.arch.Mean[1] && image.Plane(2)[i] == l.arch.Mean[2]
			if masks[n] = append(masks[n], is); !is && image.Plane(1)[i] != whole[n].Plane(1)[i] {
				t.Fatalf("image %d, pixel %d: %g, want the augmented %g", n, i, image.Plane(1)[i], whole[n].Plane(1)[i])
			}
		}
	}
	if slices.Equal(masks[0], masks[1]) || !slices.Contains(masks[0], true) || !slices.Contains(masks[0], false) {
		t.Error("the images of a batch share a mask, or one hides all or nothing")
	}
	if slices.Equal(before.Pix, whole[0].Pix) && slices.Equal(target[1].Pix, whole[1].Pix) {
		t.Error("the images are not augmented") // for this seed, jitter and blur are not both left out
	}
	if !slices.Equal(before.Pix, target[0].Pix) {
		t.Error("the batch has changed")
	}
}

// TestMaskTerm: with the term there is its loss, which is learned from; without it, or
// where it weighs nothing, all is as if there were no such term.
func TestMaskTerm(t *testing.T) {
	c := small()
	off := train(t, open(t, c, zap.NewNop()), 0, 3)
	c.Loss.Mask = configs.Mask{Weight: 1, Block: 8, Ratio: 0.5}
	other := train(t, open(t, c, zap.NewNop()), 0, 3)
	c.Method += "+mask"
	on := train(t, open(t, c, zap.NewNop()), 0, 3)
	c.Loss.Mask.Weight = 0
	weightless := train(t, open(t, c, zap.NewNop()), 0, 3)
	for i := range off {
		if !nearLosses(off[i].Losses, other[i].Losses) || !nearLosses(off[i].Losses, weightless[i].Losses) {
			t.Errorf("iteration %d: losses %v without the term, %v with its settings, %v at weight 0", i, off[i].Losses, other[i].Losses, weightless[i].Losses)
		}
		if !(on[i].Losses["mask"] > 0) {
			t.Errorf("iteration %d: losses %v", i, on[i].Losses)
		}
	}
	if near(on[2].Losses["mix"], off[2].Losses["mix"]) {
		t.Error("nothing was learned from L_M")
	}
}
