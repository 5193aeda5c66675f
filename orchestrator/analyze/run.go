package analyze

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/internal/atomicfile"
	"t2sda/losses"
	"t2sda/orchestrator"
)

// Options of [Run].
type Options struct {
	Dir         string // of the run
	Checkpoint  string // last, best or the name of a checkpoint; the baseline's likewise
	Features    string // see [Features]; empty: [Head]
	NoBaseline  bool   // leave out the source-only run beside it
	SourceSplit string // of the source's images; empty: what the run trained on
	Images      int    // per domain; 0: all
	Samples     int    // positions of each class and domain in the pictures
	Perplexity  float64
	Seed        uint64 // of what is drawn
	Out         string // folder for results; empty: analysis/ in the run directory
	Workers     int    // goroutines that read images; 0: one per CPU
	// Progress is asked for something that is called after every step of a stage;
	// it and what it returns may be nil.
	Progress func(stage, unit string) func(done, total int)
}

// The files that [Run] writes.
const (
	resultFile     = "analysis.json"
	similarityFile = "similarity.png"
	distancesFile  = "distances.png"
	pcaFile        = "pca.png"
	tsneFile       = "tsne.png"
)

const (
	sourceName = "source"
	targetName = "target"
)

// Run measures the network of a run, and that of its source-only baseline if it
// has one, on labelled images of both domains, and writes the numbers and
// pictures.
func Run(ctx context.Context, e *engine.Engine, o Options) (*Result, error) {
	began := time.Now()
	if err := o.complete(); err != nil {
		return nil, err
	}
	networks, notes, err := o.networks()
	if err != nil {
		return nil, err
	}
	source, target, err := openDomains(ctx, networks[0], o)
	if err != nil {
		return nil, err
	}
	r := &Result{
		Run: o.Dir, Features: o.Features, Seed: o.Seed, Source: source.describe(), Target: target.describe(),
		Notes: notes, Space: networks[0].Space,
	}
	for _, n := range networks {
		m := measurement{engine: e, network: n, o: o}
		measured, err := m.run(ctx, source, target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Dir, err)
		}
		r.Networks = append(r.Networks, *measured)
	}
	if err := r.draw(o.Out); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(began).Seconds()
	path := filepath.Join(o.Out, resultFile)
	r.Files = append([]string{path}, r.Files...)
	return r, atomicfile.WriteJSON(path, r)
}

// complete fills in defaults and checks what needs no files.
func (o *Options) complete() error {
	o.Features = cmp.Or(o.Features, Head)
	o.Out = cmp.Or(o.Out, filepath.Join(o.Dir, "analysis"))
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(string, string) func(int, int) { return nil }
	}
	switch {
	case o.Images < 0:
		return fmt.Errorf("images: want at least 0, have %d", o.Images)
	case o.Samples < 1:
		return fmt.Errorf("samples: want at least 1, have %d", o.Samples)
	}
	return nil
}

// networks opens the run's network and its baseline's, and says what was left
// out and why.
func (o *Options) networks() (all []*orchestrator.Network, notes []string, err error) {
	n, err := orchestrator.OpenNetwork(o.Dir, o.Checkpoint, orchestrator.Student)
	if err != nil {
		return nil, nil, err
	}
	if err := checkFeatures(o.Features, n); err != nil {
		return nil, nil, err
	}
	all = append(all, n)
	dir, ok := orchestrator.Baseline(o.Dir)
	if !ok || o.NoBaseline {
		return all, nil, nil
	}
	b, err := orchestrator.OpenNetwork(dir, o.Checkpoint, orchestrator.Student)
	if err != nil {
		return nil, nil, fmt.Errorf("baseline (can be left out): %w", err)
	}
	if o.Features == Projector {
		return all, []string{fmt.Sprintf("the baseline is left out: method %s trains no projector", b.Config.Method)}, nil
	}
	if !b.Space.Equal(n.Space) {
		return nil, nil, fmt.Errorf("baseline (can be left out): %s knows other classes", dir)
	}
	return append(all, b), nil, nil
}

func (d *domain) describe() Domain {
	return Domain{Place: d.place, Images: len(d.chosen), Of: d.data.Len(), Width: d.w, Height: d.h}
}

// measurement is one network on both domains.
type measurement struct {
	engine  *engine.Engine
	network *orchestrator.Network
	o       Options
}

// side is what a measurement finds in one domain.
type side struct {
	depth     int
	moments   *moments
	confusion *score.Confusion
	pdd       []float64
	points    []point
}

func (m *measurement) run(ctx context.Context, source, target *domain) (*Network, error) {
	s, err := m.side(ctx, source)
	if err != nil {
		return nil, err
	}
	t, err := m.side(ctx, target)
	if err != nil {
		return nil, err
	}
	n := m.network
	out := &Network{
		Method: n.Config.Method, Dir: n.Dir, Checkpoint: n.Checkpoint, Iteration: n.Iteration,
		Depth: s.depth, Classes: classes(n.Space.Names(), s, t),
	}
	out.Mean = average(out.Classes)
	out.embedded, err = embed(ctx, append(s.points, t.points...), m.o.Perplexity, m.o.Seed, m.o.Progress(n.Config.Method+", t-SNE", "steps"))
	if err != nil {
		return nil, err
	}
	layout := out.embedded.tsne
	out.Embedding = Embedding{
		Points: len(out.embedded.points), PCAVariance: out.embedded.variance,
		Perplexity: layout.Perplexity, Divergence: layout.Divergence,
	}
	return out, nil
}

// side passes twice over a domain's images.
func (m *measurement) side(ctx context.Context, d *domain) (_ *side, err error) {
	x, err := newExtractor(m.engine, m.network, m.o.Features, d.w, d.h)
	if err != nil {
		return nil, fmt.Errorf("%s domain: %w", d.name, err)
	}
	defer func() { err = errors.Join(err, x.close()) }()
	names := m.network.Space.Names()
	s := &side{depth: x.depth, moments: newMoments(len(names), x.depth), confusion: score.NewConfusion(len(names))}
	err = m.pass(ctx, d, x, 1, func(l loaded, grid []uint8) error {
		predicted, err := x.labels(l.truth.W, l.truth.H)
		if err != nil {
			return err
		}
		s.moments.add(x.features, grid)
		return s.confusion.Add(l.truth, predicted)
	})
	if err == nil {
		err = s.moments.check(names)
	}
	if err != nil {
		return nil, fmt.Errorf("%s domain: %w", d.name, err)
	}
	discrimination, sample := newDiscrimination(s.moments.means()), newSample(d, s.moments.count, m.o.Samples, m.o.Seed)
	err = m.pass(ctx, d, x, 2, func(_ loaded, grid []uint8) error {
		sample.add(x.features, grid)
		return discrimination.add(ctx, x.features, grid)
	})
	if err == nil {
		err = sample.complete()
	}
	if err != nil {
		return nil, fmt.Errorf("%s domain: %w", d.name, err)
	}
	s.pdd, s.points = discrimination.pdd(), sample.points
	return s, nil
}

// pass runs the network on every image and gives f its labels on the feature
// grid [h,w].
func (m *measurement) pass(ctx context.Context, d *domain, x *extractor, number int, f func(l loaded, grid []uint8) error) error {
	progress := m.o.Progress(fmt.Sprintf("%s, %s, pass %d", m.network.Config.Method, d.name, number), "images")
	grid, done := make([]uint8, x.h*x.w), 0
	rule := losses.GridRule(m.network.Config.Loss.Pull.GridLabels)
	return d.each(ctx, m.o.Workers, func(l loaded) error {
		if err := losses.GridLabels(grid, l.labels.Pix, 1, d.h, d.w, x.h, x.w, rule); err != nil {
			return err
		}
		if err := x.run(ctx, l.image); err != nil {
			return err
		}
		if err := f(l, grid); err != nil {
			return err
		}
		if done++; progress != nil {
			progress(done, len(d.chosen))
		}
		return nil
	})
}

// classes puts both sides' measures beside each other.
func classes(names []string, s, t *side) []Class {
	similar := similarity(s.moments.means(), t.moments.means())
	out := make([]Class, len(names))
	for c, name := range names {
		out[c] = Class{Name: name, Similarity: Number(similar[c])}
	}
	for _, d := range []struct {
		side *side
		of   func(c *Class) *DomainClass
	}{
		{s, func(c *Class) *DomainClass { return &c.Source }},
		{t, func(c *Class) *DomainClass { return &c.Target }},
	} {
		iou, ccd := d.side.confusion.IoU(), d.side.moments.ccd()
		for c := range out {
			*d.of(&out[c]) = DomainClass{Positions: d.side.moments.count[c], IoU: score.Score(iou[c]), CCD: Number(ccd[c]), PDD: Number(d.side.pdd[c])}
		}
	}
	return out
}
