package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"t2sda/configs"
	"t2sda/datasets/streets"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/weights/fetch"
	"t2sda/internal/onnxmodel"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// ExportOptions say which weights of a run become which model file.
type ExportOptions struct {
	Run           string      // run directory
	Checkpoint    string      // last, best or the name of a checkpoint
	Weights       string      // [Student] or [Teacher]
	Width, Height int         // of the input, px; 0×0: of the run's evaluation images
	Form          export.Form // what the model takes and gives
	Version       string      // of the program
	Warn          func(error) // of what does not keep the model from being made; may be nil
}

// Exported is a model that agrees with its training network.
type Exported struct {
	Model    []byte
	Network  *Network // that it was made of
	options  export.ModelOptions
	verified export.Verified
	facts    export.CardFacts
}

// Files returns what lies beside the model at path: its description and its card.
func (x *Exported) Files(path string) (description, card []byte, err error) {
	d := export.Describe(path, x.Model, x.options, x.verified)
	description, err = d.JSON()
	return description, export.Card(d, x.facts), err
}

// Agreement returns the output that agrees least with the training network.
func (x *Exported) Agreement() export.Checked { return export.Worst(x.verified.Outputs) }

// Export returns a checkpoint of a run as a deployable model, which was compared with the training
// network on the run's evaluation images or, where those are gone, on drawn ones. Without images a
// fixed size must be given or configured.
func Export(ctx context.Context, e *engine.Engine, o ExportOptions) (*Exported, error) {
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	n, err := OpenNetwork(o.Run, o.Checkpoint, o.Weights)
	if err != nil {
		return nil, err
	}
	if n.Unverified != nil {
		o.Warn(n.Unverified)
	}
	m, err := o.model(ctx, n)
	if err != nil {
		return nil, err
	}
	return finish(ctx, e, n, m, export.CardFacts{
		Method: fmt.Sprintf("%s: %s", n.Config.Method, n.Config.Method.Sentence()),
		Made:   fmt.Sprintf("the %s after %s", o.Weights, plural.Of(n.Iteration, "iteration", "iterations")),
	}, o.Warn)
}

// finish makes the model and compares it.
func finish(ctx context.Context, e *engine.Engine, n *Network, m export.ModelOptions, facts export.CardFacts, warn func(error)) (_ *Exported, err error) {
	x := &Exported{Network: n, options: m, facts: facts}
	if x.Model, err = export.Finish(ctx, e, m, n.Lookup); err != nil {
		return nil, err
	}
	return x, x.verify(ctx, e, warn)
}

func (o ExportOptions) model(ctx context.Context, n *Network) (export.ModelOptions, error) {
	cfg := n.Config
	m := export.ModelOptions{
		Arch: n.Arch, Space: n.Space, Width: o.Width, Height: o.Height, Form: o.Form,
		Info: predict.ModelInfo{
			Version: o.Version, ConfigHash: cfg.Hash(), CropW: cfg.Data.Crop.Width, CropH: cfg.Data.Crop.Height,
			Data: dataOf(cfg), Licence: licenceOf(cfg.Model.Init),
		},
	}
	// Scores are of the size that the run was evaluated at: its images' own, if the model takes any.
	scored, err := cfg.Data.Eval.Resize.Width == 0, error(nil)
	if !m.Dynamic {
		scored, err = o.fix(ctx, n, &m)
	}
	if o.Weights == Student && scored {
		m.Info.MIoU, m.Info.IoU = n.scores()
	}
	return m, err
}

// fix gives a model of fixed size what the options leave to the run, and reports whether it is of the
// size that the run was evaluated at.
func (o ExportOptions) fix(ctx context.Context, n *Network, m *export.ModelOptions) (scored bool, err error) {
	given := m.Width != 0 || m.Height != 0
	own, w, h, err := n.ownSize(ctx, given)
	switch {
	case err != nil && !given:
		return false, fmt.Errorf("the model's size is that of the evaluation images unless width and height are given: %w", err)
	case !given:
		m.Width, m.Height, m.Windows = own.Width, own.Height, own.Windows
	case err != nil && n.Config.UsesHRDA():
		o.Warn(fmt.Errorf("the model does not say in which windows images larger than %d×%d pixels go through it, because the run's evaluation images cannot be looked at: %w", m.Width, m.Height, err))
	case m.Width != w || m.Height != h: // else whole images
		m.Windows = own.Windows
	}
	return err == nil && m.Width == own.Width && m.Height == own.Height, nil
}

// ownSize returns the size, and windows, of the model that the run itself makes, and that at which it
// looks at its evaluation images. Its model tells, if it may and is there.
func (n *Network) ownSize(ctx context.Context, mayTell bool) (own export.ModelOptions, w, h int, err error) {
	if mayTell {
		if meta, ok := n.ownModel(); ok {
			own.Width, own.Height, own.Windows = meta.Input.Width, meta.Input.Height, meta.Windows
			if w, h = own.Windows.Width, own.Windows.Height; w == 0 {
				w, h = own.Width, own.Height
			}
			return own, w, h, nil
		}
	}
	w, h, err = runSize(ctx, n.Config)
	setSize(&own, n.Config, w, h)
	return own, w, h, err
}

// ownModel is what the run's own model says of itself, if it is there.
func (n *Network) ownModel() (meta predict.Metadata, ok bool) {
	model, err := os.ReadFile(filepath.Join(n.Dir, modelFile))
	if err != nil {
		return meta, false
	}
	m, err := onnxmodel.Parse(model)
	if err != nil {
		return meta, false
	}
	props := map[string]string{}
	for _, e := range m.Meta {
		props[e.Key] = e.Value
	}
	meta, err = predict.ParseMetadata(props)
	return meta, err == nil && meta.ConfigHash == n.Config.Hash()
}

// runSize returns the size at which a run's evaluation images are looked at.
func runSize(ctx context.Context, cfg configs.Config) (w, h int, err error) {
	if resize := cfg.Data.Eval.Resize; resize.Width != 0 {
		return resize.Width, resize.Height, nil
	}
	eval, err := openDataset(ctx, "data.eval", cfg.Data.Eval, cfg, nil, false)
	if err != nil {
		return 0, 0, err
	}
	return (&data{eval: eval}).evalSize(ctx, cfg.SkipsBadFiles())
}

// scores returns the evaluation of these weights, as far as the run has recorded one.
func (n *Network) scores() (miou *float64, iou map[string]float64) {
	events, err := ReadEvents(filepath.Join(n.Dir, eventsFile))
	if err != nil {
		return nil, nil
	}
	for _, e := range events {
		if e.Iteration+1 == n.Iteration && e.MIoU != nil { // events count from 0
			return e.MIoU, e.IoU
		}
	}
	return nil, nil
}

// dataOf names the data sets of a run, without the places where they lie here.
func dataOf(cfg configs.Config) map[string]string {
	name := func(d configs.Dataset) string {
		text := fmt.Sprintf("%s (layout %s", filepath.Base(d.Root), d.Layout)
		if d.Split != "" {
			text += ", split " + d.Split
		}
		return text + ")"
	}
	all := map[string]string{"eval": name(cfg.Data.Eval)}
	if cfg.LabelsTarget() {
		all["target"] = name(cfg.Data.Target) + ", with labels"
		return all
	}
	all["source"] = name(cfg.Data.Source) + ", with labels"
	if cfg.UsesTarget() {
		all["target"] = name(cfg.Data.Target) + ", without labels"
	}
	return all
}

// licenceOf says what is known of the licence of weights that training began with.
func licenceOf(init string) string {
	name, fetched := strings.CutPrefix(init, configs.FetchPrefix)
	if init == "" {
		return "none: training began with random weights"
	}
	if fetched {
		for _, k := range fetch.List(fetch.Options{}) {
			if k.Name == name {
				return k.Licence
			}
		}
	}
	if !strings.ContainsAny(init, "/.") {
		return "that of t2sda: " + init + " is a part of it"
	}
	return "not known to t2sda: that of " + filepath.Base(init)
}

// verify compares the model with the training network.
func (x *Exported) verify(ctx context.Context, e *engine.Engine, warn func(error)) error {
	n := x.Network
	least, err := n.Arch.MinSize()
	if err != nil {
		return err
	}
	var images []*raster.Image
	if n.Dir != "" {
		images, err = n.evalImages(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		warn(fmt.Errorf("the model is compared with the training network on drawn pictures, as the run's evaluation images cannot be read: %w", err))
	}
	x.verified.Images = plural.Of(len(images), "evaluation image", "evaluation images") + " of the run"
	if images == nil {
		images, x.verified.Images = drawn(x.options), "drawn pictures"
	}
	images = sizedFor(x.options, images, least)
	for _, img := range images {
		x.verified.Sizes = append(x.verified.Sizes, [2]int{img.W, img.H})
	}
	refs, err := export.References(ctx, e, n.Arch, n.Lookup, images)
	if err != nil {
		return fmt.Errorf("verify export: %w", err)
	}
	if x.verified.Outputs, err = export.Check(ctx, e, x.Model, refs); err != nil {
		return err
	}
	worst := x.Agreement()
	if err := worst.Reach(export.MinExact); err != nil {
		return fmt.Errorf("output %s: %w", worst.Output, err)
	}
	return nil
}

// verifyImages is how many images a model of fixed size is compared on.
const verifyImages = 4

// evalImages loads the first few evaluation images.
func (n *Network) evalImages(ctx context.Context) ([]*raster.Image, error) {
	eval, err := openDataset(ctx, "data.eval", n.Config.Data.Eval, n.Config, nil, false)
	if err != nil {
		return nil, err
	}
	var images []*raster.Image
	for i := 0; i < eval.Len() && len(images) < verifyImages; i++ {
		s, loadErr := eval.LoadImage(ctx, i)
		if loadErr != nil {
			err = errors.Join(err, loadErr)
			continue
		}
		images = append(images, s.Image)
	}
	if images != nil {
		return images, nil
	}
	return nil, err
}

// drawn returns street scenes of the model's size, or of its training crops', as far as it has any.
func drawn(o export.ModelOptions) []*raster.Image {
	w, h := o.Width, o.Height
	if o.Dynamic {
		if w, h = o.Info.CropW, o.Info.CropH; w == 0 {
			w, h = 256, 128
		}
	}
	images := make([]*raster.Image, verifyImages)
	for i := range images {
		images[i], _ = streets.Render(1, i, streets.Camera, max(w, 16), max(h, 16))
	}
	return images
}

// sizedFor brings images to the model's size or, where that is free, to five sizes, odd ones too.
func sizedFor(o export.ModelOptions, images []*raster.Image, least int) []*raster.Image {
	var sized []*raster.Image
	if !o.Dynamic {
		for _, img := range images {
			sized = append(sized, resize.Image(img, o.Width, o.Height))
		}
		return sized
	}
	w, h := images[0].W, images[0].H
	for i, s := range [][2]int{{w, h}, {w - 1, h - 3}, {3 * w / 4, 3*h/4 | 1}, {w/2 | 1, h}, {w/2 | 1, h/2 | 1}} {
		sized = append(sized, resize.Image(images[i%len(images)], max(s[0], least), max(s[1], least)))
	}
	return sized
}
