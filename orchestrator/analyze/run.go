package analyze

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"t2sda/graphs/engine"
	"t2sda/internal/atomicfile"
	"t2sda/orchestrator"
	"t2sda/orchestrator/features"
)

// Options of [Run].
type Options struct {
	Dir         string  // of the run
	Checkpoint  string  // last, best or the name of a checkpoint; the baseline's likewise
	Features    string  // see [features.Kinds]; empty: those of the head
	Baseline    string  // directory of a run to hold it against, "none", or empty: its own source-only run if it has one
	SourceSplit string  // of the source's images; empty: what the run trained on
	Images      int     // per domain; 0: all
	Samples     int     // positions of each class and domain in the pictures
	Perplexity  float64 // of t-SNE; 0: 30, or a third of the points where those are fewer than 90
	Seed        uint64  // of what is drawn
	Out         string  // folder for results; empty: analysis/ in the run directory
	Workers     int     // goroutines that read images; 0: one per CPU
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

// The domains.
const (
	sourceName = "source"
	targetName = "target"
)

// NoBaseline as [Options.Baseline] leaves it out.
const NoBaseline = "none"

// Run measures the network of a run, and that of a baseline, on labelled images
// of both domains, the same ones for both, and writes the numbers and pictures.
func Run(ctx context.Context, e *engine.Engine, o Options) (*Result, error) {
	began := time.Now()
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := atomicfile.TryDir(o.Out); err != nil { // now, and not after everything is measured
		return nil, fmt.Errorf("folder for results: %w", err)
	}
	networks, notes, err := o.networks()
	if err != nil {
		return nil, err
	}
	source, target, err := openDomains(ctx, networks[0], o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("folder for results: %w", err)
	}
	r := &Result{
		Run: o.Dir, Features: o.Features, Seed: o.Seed, Notes: notes, Space: networks[0].Space,
	}
	for _, n := range networks {
		m := measurement{engine: e, network: n, o: o}
		measured, err := m.run(ctx, source, target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Dir, err)
		}
		if e := measured.Embedding; o.Perplexity != 0 && e.Perplexity != o.Perplexity {
			r.Notes = append(r.Notes, fmt.Sprintf("t-SNE of %s: a perplexity of %g wants more than the %d points that there are, it is %.3g", n.Dir, o.Perplexity, e.Points, e.Perplexity))
		}
		r.Networks = append(r.Networks, *measured)
	}
	r.describe(source, target)
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
	o.Features = cmp.Or(o.Features, features.Head)
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
	case o.Perplexity != 0 && !(o.Perplexity >= 1):
		return fmt.Errorf("perplexity: want 0 or at least 1, have %g", o.Perplexity)
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
	if n.Unverified != nil {
		notes = append(notes, n.Unverified.Error())
	}
	dir := o.Baseline
	if dir == "" {
		if own, ok := orchestrator.Baseline(o.Dir); ok {
			dir = own
		}
	}
	if dir == "" || dir == NoBaseline {
		return all, notes, nil
	}
	b, err := orchestrator.OpenNetwork(dir, o.Checkpoint, orchestrator.Student)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("baseline (%q leaves it out): %w", NoBaseline, err)
	case !b.Space.Equal(n.Space):
		return nil, nil, fmt.Errorf("baseline %s knows classes %v, %s %v", dir, b.Space.Names(), o.Dir, n.Space.Names())
	case checkFeatures(o.Features, b) != nil: // the projector's
		return all, append(notes, fmt.Sprintf("%s is left out: method %s trains no projector", dir, b.Config.Method)), nil
	}
	if b.Unverified != nil {
		notes = append(notes, b.Unverified.Error())
	}
	return append(all, b), notes, nil
}

// checkFeatures reports a kind that does not exist or that the network lacks.
func checkFeatures(kind string, n *orchestrator.Network) error {
	switch {
	case !slices.Contains(features.Kinds(), kind):
		return fmt.Errorf("features %q are none of %s", kind, strings.Join(features.Kinds(), ", "))
	case kind == features.Projector && n.Arch.ProjectorWidth == 0:
		return fmt.Errorf("%s: method %s trains no projector: look at the features of %s or %s", n.Dir, n.Config.Method, features.Head, features.Encoder)
	}
	return nil
}

// describe says on what images was measured, once it is known which can be read.
func (r *Result) describe(source, target *domain) {
	r.Source, r.Target = source.describe(), target.describe()
	for _, d := range []*domain{source, target} {
		if text := d.LeftOut(); text != "" {
			r.Notes = append(r.Notes, text)
		}
	}
}

func (d *domain) describe() Domain {
	return Domain{Place: d.place, Images: len(d.Chosen), Of: d.Data.Len(), Width: d.W, Height: d.H, Skipped: d.Skipped}
}
