package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
	"t2sda/internal/sha256sum"
	"t2sda/orchestrator/learner"
)

// Imported are weights of a whole network, encoder and head, that no run here has trained.
type Imported struct {
	File     string         // of weights, under the names of any library that is known
	Origin   string         // fetch:NAME where they were fetched
	Settings []string       // of the network, see [configs.ReadNetwork]; what they leave open is looked for in the file
	Space    datasets.Space // the classes, one per channel of the head
}

// ExportImported is [Export] of weights that no run has trained; Run, Checkpoint and Weights
// are not looked at. A size must be given unless it is free. The network is compared with its
// training operators on drawn pictures, as there is no data, and nothing is known of how well
// it does.
func ExportImported(ctx context.Context, e *engine.Engine, w Imported, o ExportOptions) (*Exported, error) {
	if !o.Form.Dynamic && (o.Width == 0 || o.Height == 0) {
		return nil, errors.New("weights without a run know no size of images: give width and height, or make them free")
	}
	n, file, found, err := w.open()
	if err != nil {
		return nil, err
	}
	licence := "not known to t2sda: that of " + filepath.Base(w.File)
	if strings.HasPrefix(w.Origin, configs.FetchPrefix) {
		licence = licenceOf(w.Origin)
	}
	origin, err := w.describe(file, found)
	if err != nil {
		return nil, err
	}
	m := export.ModelOptions{
		Arch: n.Arch, Space: n.Space, Width: o.Width, Height: o.Height, Form: o.Form,
		Info: predict.ModelInfo{Version: o.Version, Data: map[string]string{"weights": origin}, Licence: licence},
	}
	return finish(ctx, e, n, m, export.CardFacts{}, o.Warn)
}

// describe says where the weights, which lie in file, come from. Of weights in several files there is no digest.
func (w Imported) describe(file string, r *weights.Found) (string, error) {
	text := "imported from " + filepath.Base(w.File)
	if filepath.Ext(file) != ".json" {
		digest, err := sha256sum.File(file)
		if err != nil {
			return "", err
		}
		text += " (SHA-256 " + digest + ")"
	}
	text += ", names " + r.Convention
	if r.Part != "" {
		text += ", part " + r.Part
	}
	return text, nil
}

// open reads the weights, all of which must be there, and says which file they are in.
func (w Imported) open() (_ *Network, file string, _ *weights.Found, err error) {
	m, given, err := configs.ReadNetwork(w.Settings)
	if err != nil {
		return nil, "", nil, err
	}
	f, err := weights.Open(w.File)
	if err != nil {
		return nil, "", nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if !slices.Contains(given, "model.encoder") {
		encoder, err := f.Encoder(fit.Encoders())
		if err != nil {
			return nil, "", nil, err
		}
		m.Encoder, m.Stem = fit.Split(encoder.Name)
	}
	arch, found, err := w.match(f, m, given)
	if err != nil {
		return nil, "", nil, err
	}
	tensors, err := f.ReadFound(found)
	return &Network{Arch: arch, Space: w.Space, tensors: tensors}, f.Path(), found, err
}

// headWidths are those that public checkpoints have, see [nets.Arch].
var headWidths = []int{256, 768}

// match compares the file with the network that the settings describe, or, where they leave
// head or width open, with all that there are.
func (w Imported) match(f *weights.File, m configs.Model, given []string) (nets.Arch, *weights.Found, error) {
	heads, widths := []string{m.Head}, []int{m.HeadWidth}
	if !slices.Contains(given, "model.head") {
		heads = nets.Heads()
	}
	if !slices.Contains(given, "model.head_width") {
		widths = headWidths
	}
	var best *weights.Found
	var nearest nets.Arch
	for _, head := range heads {
		for _, width := range widths {
			m.Head, m.HeadWidth = head, width
			arch := learner.Arch(configs.Config{Model: m, Method: configs.SourceOnly}, len(w.Space.Classes))
			want, err := fit.Tensors(arch)
			if err != nil && len(heads) > 1 {
				continue // a head that this encoder does not take
			}
			if err != nil {
				return arch, nil, err
			}
			found, err := f.Find(want, "")
			if err != nil {
				return arch, nil, err
			}
			found.LeaveProjectorOut()
			if found.Check() == nil {
				return arch, found, nil
			}
			if best == nil || misfits(found) < misfits(best) {
				best, nearest = found, arch
			}
		}
	}
	return nearest, nil, w.misfit(f, nearest, best)
}

// misfits counts what does not fit.
func misfits(r *weights.Found) int { return len(r.Missing) + len(r.Misshapen) + len(r.Unexpected) }

// misfit explains what the file lacks.
func (w Imported) misfit(f *weights.File, a nets.Arch, r *weights.Found) error {
	if r == nil {
		return fmt.Errorf("%s: no head here goes with encoder %s", w.File, a.Encoder)
	}
	isHead := func(t weights.Info) bool { return !weights.IsEncoder(t) }
	if !slices.ContainsFunc(r.Matched, isHead) && len(r.Misshapen)+len(r.Unexpected) == 0 && slices.ContainsFunc(r.Matched, weights.IsEncoder) {
		return fmt.Errorf("%s: it holds an encoder (%s) and no head: a model needs both (heads: %s). Train one from it (t2sda train model.init=%[1]s), or give a file of a whole network. The file holds %[4]s",
			w.File, a.Encoder, strings.Join(nets.Heads(), ", "), f.Describe())
	}
	return fmt.Errorf("%s: it is not encoder %s with head %s of width %d for %d classes (%s), which comes nearest: %w. model.encoder, model.head, model.head_width, model.stem and model.dilations name another network, --labels its classes",
		w.File, a.Encoder, a.Head, a.HeadWidth, a.Classes, w.Space.Name, r.Check())
}
