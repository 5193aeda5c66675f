package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// Soft is what a teacher says of a whole image: probabilities of the classes at the logits'
// resolution, and sums of what the classifier reads, by the class that it predicts. Where crops
// overlap, probabilities are their mean; the sums are of the features of the first, by its class.
type Soft struct {
	C, H, W       int
	Probabilities []uint8 // [C,H,W], which of 256 levels they are, see [levels]
	D             int
	Counts        []int32   // [C] positions of each class in Sums
	Sums          []float32 // [C,D] of their features
}

// crop writes what of the probabilities lies in a crop of height×width px, brought to a grid
// [C,h,w] of the crop linearly. stride is the side of a cell of the image's grid, px.
func (s *Soft) crop(dst []float32, at datasets.Corner, height, width, h, w, stride int) {
	rows := taps(h, at.Y, height, stride, 0, s.H-1, false)
	columns := taps(w, at.X, width, stride, 0, s.W-1, at.Flip)
	inParallel(0, s.C*h, func(from, to int) {
		for at := from; at < to; at++ {
			plane, r := s.Probabilities[at/h*s.H*s.W:], rows[at%h]
			low, high := plane[r.low*s.W:], plane[r.high*s.W:]
			for x, t := range columns {
				a := lerp(levels[low[t.low]], levels[low[t.high]], t.share)
				b := lerp(levels[high[t.low]], levels[high[t.high]], t.share)
				dst[at*w+x] = lerp(a, b, r.share)
			}
		}
	})
}

// Validate says what is wrong with labels of so many classes, that come from a file.
func (s *Soft) Validate(classes int) error {
	if s.C != classes || s.H < 1 || s.W < 1 || len(s.Probabilities) != s.C*s.H*s.W || len(s.Counts) != s.C || len(s.Sums) != s.C*s.D {
		return fmt.Errorf("soft labels of %d classes on %d×%d: want %d classes, and as many numbers as there are positions", s.C, s.W, s.H, classes)
	}
	return nil
}

// assessor is the teacher where it looks at whole images, crop by crop.
type assessor struct {
	*program.Program
	size   imageBatch
	stride int // of the logits, px
	grid   losses.Grid

	image  []float32 // [B,3,H,W]
	share  []float32 // [B,C,h,w] probabilities
	labels []uint8   // [B,h,w] where they are largest
	sums   []float32 // [C,D] of the features of each label, where positions count
	counts []float32 // [B,h,w] 1 where a position counts
	width  int       // D
}

func newAssessor(l *Learner) (*assessor, error) {
	a := &assessor{size: imageBatch{1, l.crops().H, l.crops().W}}
	var err error
	a.Program, a.image, err = l.state.onImages(l.engine, "teacher/soft", l.state.teacher, l.arch, nets.Teacher, a.size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		g := p.Graph()
		features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
		logits := net.Classify(features)
		a.grid, a.width = gridOf(logits), features.Dim(1)
		a.stride = a.size.H / a.grid.H
		share := g.Softmax(logits, 1)
		a.share = program.Output[float32](p, "probabilities", share)
		labels := g.ArgMax(share, 1, false)
		a.labels = program.Output[uint8](p, "labels", g.Cast(labels, graphs.Uint8))
		counted, memory := program.Input[float32](p, "counted", 1, 1, a.grid.H, a.grid.W)
		a.counts = memory
		a.sums = program.Output[float32](p, "sums", losses.ClassSums(g.Mul(features, counted), labels, l.arch.Classes))
	})
	if err != nil {
		return nil, err
	}
	if a.size.H%a.grid.H != 0 || a.size.W%a.grid.W != 0 || a.size.W/a.grid.W != a.stride {
		err = fmt.Errorf("data.crop: %d×%d px are no multiple of the logits' %d×%d, which labels of whole images need", a.size.W, a.size.H, a.grid.W, a.grid.H)
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// steps lists where crops of n cells begin that cover so many, each half over the one before.
func steps(cells, n int) (out []int) {
	for at := 0; ; at += max(n/2, 1) {
		if at+n >= cells {
			return append(out, cells-n)
		}
		out = append(out, at)
	}
}

// of looks at a whole image. Where crops overlap, their mean counts, and of features the first.
func (a *assessor) of(ctx context.Context, m *raster.Image) (*Soft, error) {
	s := &Soft{C: a.grid.D, H: a.grid.H + (m.H-a.size.H)/a.stride, W: a.grid.W + (m.W-a.size.W)/a.stride, D: a.width}
	s.Counts, s.Sums = make([]int32, s.C), make([]float32, s.C*s.D)
	total, seen := make([]float32, s.C*s.H*s.W), make([]float32, s.H*s.W)
	for _, y := range steps(s.H, a.grid.H) {
		for _, x := range steps(s.W, a.grid.W) {
			fillImages(a.image, []*raster.Image{m.Crop(x*a.stride, y*a.stride, a.size.W, a.size.H)})
			a.count(seen, s.W, y, x)
			if err := runFinite(ctx, a.Program, "teacher/soft", a.share, a.sums); err != nil {
				return nil, err
			}
			a.add(s, total, seen, y, x)
		}
	}
	s.Probabilities = make([]uint8, len(total))
	for i, v := range total {
		s.Probabilities[i] = levelOf(v / seen[i%len(seen)])
	}
	return s, nil
}

// count marks the positions of the crop at y, x that no crop before has seen.
func (a *assessor) count(seen []float32, width, y, x int) {
	for i := range a.counts {
		a.counts[i] = 0
		if seen[(y+i/a.grid.W)*width+x+i%a.grid.W] == 0 {
			a.counts[i] = 1
		}
	}
}

// add takes over what was said of the crop at y, x.
func (a *assessor) add(s *Soft, total, seen []float32, y, x int) {
	area := a.grid.H * a.grid.W
	for i := range area {
		at := (y+i/a.grid.W)*s.W + x + i%a.grid.W
		if seen[at] == 0 {
			s.Counts[a.labels[i]]++
		}
		seen[at]++
		for c := range s.C {
			total[c*s.H*s.W+at] += a.share[c*area+i]
		}
	}
	for i, v := range a.sums {
		s.Sums[i] += v
	}
}

// Assess returns what the teacher says of a whole image, which is no smaller than a crop.
// Labels of the whole set are made by it, see [Options.Soft].
func (l *Learner) Assess(ctx context.Context, m *raster.Image) (*Soft, error) {
	if err := l.openAssessor(); err != nil {
		return nil, err
	}
	return l.assessor.of(ctx, m)
}

// openAssessor opens the session that looks at whole images, once.
func (l *Learner) openAssessor() error {
	if l.assessor != nil {
		return nil
	}
	a, err := newAssessor(l)
	if err != nil {
		return err
	}
	l.own(a)
	l.assessor = a
	return nil
}
