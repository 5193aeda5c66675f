package orchestrator

import (
	"context"
	"fmt"
	"math"

	"t2sda/datasets"
	"t2sda/export/report"
	"t2sda/internal/raster"
	"t2sda/translate"
)

// lookImages bounds the images of each domain whose looks the report measures.
const lookImages = 36

// looks measures source images, their translations and target images: those that
// are trained on, or in domain generalisation, which sees none, the evaluation's.
// Methods that read neither translations nor target images have no looks.
func (t *trainer) looks(ctx context.Context) (report.Looks, error) {
	pseudo, target := t.cfg.UsesPseudo(), t.data.target
	if !pseudo && target == nil {
		return report.Looks{}, nil
	}
	ofTarget := "target images"
	if target == nil {
		target, ofTarget = t.data.eval, "images of the evaluation split, which the method does not see"
	}
	o := translate.MeasureOptions{Images: lookImages, Workers: t.cfg.Data.Workers}
	var a appearances
	var err error
	if a.source, err = translate.Measure(ctx, measurable(t.data.source, t.cfg.SkipsBadFiles(), nil), o); err != nil {
		return report.Looks{}, fmt.Errorf("source: %w", err)
	}
	if a.target, err = translate.Measure(ctx, measurable(target, t.cfg.SkipsBadFiles(), nil), o); err != nil {
		return report.Looks{}, fmt.Errorf("target: %w", err)
	}
	l := report.Looks{}
	translations := ""
	if pseudo {
		l.Engine, translations = t.cfg.Translate.Engine.String(), ", on their translations"
		if a.translated, err = translate.Measure(ctx, translatedImages(t.data.loader, t.data.source.Len(), target.Len(), t.cfg.SkipsBadFiles()), o); err != nil {
			return report.Looks{}, fmt.Errorf("translated: %w", err)
		}
	}
	l.Caption = fmt.Sprintf(
		"Measured on %d of %d labelled images%s and on %d of %d %s, whole and evenly spaced. Tone: the area between two lines is their gap. Detail: power of the luma at each frequency, from large to small structures. Noise: deviation in flat places, for each brightness.",
		a.source.Images, t.data.source.Len(), translations, a.target.Images, target.Len(), ofTarget,
	)
	l.Charts = a.charts()
	return l, nil
}

// translatedImages are the loader's n source images in the style of its m target
// images, in one order.
func translatedImages(l *datasets.Loader, n, m int, skips bool) translate.Images {
	return inPlace(n, skips, func(ctx context.Context, i int) (*raster.Image, error) {
		return l.Translated(ctx, i, i*m/n)
	})
}

// appearances are measured; translated is nil where nothing is.
type appearances struct{ source, translated, target *translate.Appearance }

// charts draws tone, detail and noise of all three. Gaps below a grey level of
// tone, half a decibel and a tenth of a level of noise are those of two draws of
// images of one domain.
func (a appearances) charts() []report.Look {
	tone := a.look(toneLine)
	tone.Name, tone.Title, tone.XName, tone.YName, tone.Unit, tone.Least = "tone", "Tone", "luma, grey levels", "% of pixels darker", "grey levels", 1
	detail := a.look(detailLine)
	detail.Name, detail.Title, detail.XName, detail.YName, detail.Unit, detail.Least = "detail", "Detail", "cycles per pixel", "power, dB", "dB", 0.5
	noise := a.look(noiseLine)
	noise.Name, noise.Title, noise.XName, noise.Unit, noise.Least, noise.FromZero = "noise", "Noise", "luma, grey levels", "grey levels", 0.1, true

	before := a.source.Gap(a.target)
	tone.Before, detail.Before, noise.Before = before.Tone, before.Spectrum, before.Noise
	if a.translated != nil {
		after := a.translated.Gap(a.target)
		tone.After, detail.After, noise.After = after.Tone, after.Spectrum, after.Noise
	}
	return []report.Look{tone, detail, noise}
}

// look draws one statistic of all that is measured.
func (a appearances) look(line func(*translate.Appearance) (x, y []float64)) report.Look {
	var l report.Look
	l.X, l.Source = line(a.source)
	_, l.Target = line(a.target)
	if a.translated != nil {
		_, l.Translated = line(a.translated)
	}
	return l
}

// toneLine is the share of pixels below each luma level, per cent.
func toneLine(a *translate.Appearance) (x, y []float64) {
	sum := 0.0
	for l, share := range a.Luma {
		sum += share
		x, y = append(x, float64(l)), append(y, 100*sum)
	}
	return x, y
}

// detailLine is the spectrum in decibels.
func detailLine(a *translate.Appearance) (x, y []float64) {
	for k := range a.Spectrum[0] {
		x, y = append(x, 0.5*float64(k+1)/float64(len(a.Spectrum[0]))), append(y, a.Decibels(k))
	}
	return x, y
}

// rareBand is the share of pixels below which a band of luma says little.
const rareBand = 0.01

// noiseLine is luma's noise in the middle of each band of luma that a hundredth
// of the pixels have.
func noiseLine(a *translate.Appearance) (x, y []float64) {
	fine := a.Noise[0].Fine
	width := len(a.Luma) / len(fine)
	for b, v := range fine {
		share := 0.0
		for _, s := range a.Luma[b*width : (b+1)*width] {
			share += s
		}
		if share < rareBand {
			v = math.NaN()
		}
		x, y = append(x, (float64(b)+0.5)*float64(width)), append(y, v)
	}
	return x, y
}
