package neural

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

// Translate returns the source as the model translates it. It draws nothing
// from r, which may be nil. A target is needed where [Translator.NeedsTarget].
func (t *Translator) Translate(r *rand.Rand, source, target *raster.Image) (*raster.Image, error) {
	if source == nil {
		return nil, t.wrap(fmt.Errorf("the source image is missing"))
	}
	whole := image.Rect(0, 0, source.W, source.H)
	out, err := t.TranslateBatch(context.Background(), []translator.Job{{Rand: r, File: "the image", Source: source, Target: target, Crop: whole}})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// TranslateBatch translates jobs of one size in one run, where the model takes
// any number of images at once. Errors name the model and the image.
func (t *Translator) TranslateBatch(ctx context.Context, jobs []translator.Job) ([]*raster.Image, error) {
	out := make([]*raster.Image, len(jobs))
	for _, group := range t.group(jobs) {
		together := make([]translator.Job, len(group))
		for k, i := range group {
			together[k] = jobs[i]
		}
		results, err := t.translate(ctx, together)
		if err != nil {
			return nil, t.wrap(err)
		}
		for k, i := range group {
			if out[i], err = jobs[i].Cut(results[k]); err != nil {
				return nil, t.wrap(fmt.Errorf("%s: %w", jobs[i].File, err))
			}
		}
	}
	return out, nil
}

// group returns the positions of the jobs of each run, in order.
func (t *Translator) group(jobs []translator.Job) [][]int {
	var groups [][]int
	of := map[pad.Size]int{}
	for i, j := range jobs {
		s := pad.Size{W: j.Source.W, H: j.Source.H}
		k, ok := of[s]
		if !ok || !t.batches {
			k = len(groups)
			of[s] = k
			groups = append(groups, nil)
		}
		groups[k] = append(groups[k], i)
	}
	return groups
}

// translate runs the model on jobs of one size and returns whole images. Of the
// sizes that the images may be continued to it takes the first that the model
// gives back, and remembers it.
func (t *Translator) translate(ctx context.Context, jobs []translator.Job) ([]*raster.Image, error) {
	for _, j := range jobs {
		if t.reference != nil && j.Target == nil {
			return nil, fmt.Errorf("%s: input %q takes a reference image, and there is no target image", j.File, t.reference.name)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	file, s := jobs[0].File, pad.Size{W: jobs[0].Source.W, H: jobs[0].Source.H}
	candidates := []pad.Size{t.padded[s]}
	if candidates[0] == (pad.Size{}) {
		var err error
		if candidates, err = t.image.sizes(s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	var fault error
	for _, padded := range candidates {
		values, err := t.run(ctx, jobs, padded)
		switch {
		case err == nil:
			t.padded[s] = padded
			return t.images(values, jobs, padded)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case fault == nil: // that of the smallest size says most
			fault = fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil, fault
}

// run runs the model once and returns the images that it gives, which have the
// size asked for, end to end. Models that cannot do with a size fail, or give
// another one.
func (t *Translator) run(ctx context.Context, jobs []translator.Job, padded pad.Size) (*engine.Tensor, error) {
	sources, targets := make([]*raster.Image, len(jobs)), make([]*raster.Image, len(jobs))
	for i, j := range jobs {
		sources[i], targets[i] = j.Source, j.Target
	}
	x, err := t.encode(t.image, sources, padded)
	if err != nil {
		return nil, err
	}
	inputs := map[string]*engine.Tensor{t.image.name: x}
	if t.reference != nil {
		for i, j := range jobs {
			targets[i] = t.reference.fit(j.Target, pad.Size{W: j.Source.W, H: j.Source.H})
		}
		padded = over(t.reference.fixed, padded)
		if inputs[t.reference.name], err = t.encode(*t.reference, targets, padded); err != nil {
			return nil, err
		}
	}
	outputs, err := t.session.Run(ctx, inputs)
	if err != nil {
		return nil, err
	}
	y := outputs[t.output.Name]
	want := x.Shape()
	if have := y.Shape(); fmt.Sprint(have) != fmt.Sprint(want) {
		return nil, fmt.Errorf("output %q has shape %s for an image of shape %s, want the same", t.output.Name, engine.ShapeText(have), engine.ShapeText(want))
	}
	return y, nil
}

// images turns the model's values into images of the jobs' size.
func (t *Translator) images(y *engine.Tensor, jobs []translator.Job, padded pad.Size) ([]*raster.Image, error) {
	n := 3 * padded.W * padded.H
	values, err := t.decode(y)
	if err != nil {
		return nil, err
	}
	out := make([]*raster.Image, len(jobs))
	for i, j := range jobs {
		own := values[i*n : (i+1)*n]
		if err := t.check(own, j.Source); err != nil {
			return nil, fmt.Errorf("%s: %w", j.File, err)
		}
		t.toBytes(own)
		out[i] = (&raster.Image{W: padded.W, H: padded.H, Pix: own}).Crop(0, 0, j.Source.W, j.Source.H)
	}
	return out, nil
}
