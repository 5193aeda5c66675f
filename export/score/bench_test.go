package score

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"t2sda/datasets"
	"t2sda/datasets/streets"
	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
	"t2sda/internal/median"
)

// streetTree writes n labelled images of Cityscapes' size.
func streetTree(b *testing.B, n int) datasets.Options {
	b.Helper()
	root := b.TempDir()
	for i := range n {
		img, labels := streets.Render(3, i, streets.Game, 2048, 1024)
		name := fmt.Sprintf("city/city_%06d_000019", i)
		writeTo(b, filepath.Join(root, "leftImg8bit/val", name+"_leftImg8bit.png"), img.NRGBA())
		writeTo(b, filepath.Join(root, "gtFine/val", name+"_gtFine_labelTrainIds.png"), labels.Gray())
	}
	return datasets.Options{Layout: "cityscapes", Root: root, Split: "val", RequireLabels: true}
}

// BenchmarkEvaluate alternates evaluations with bare runs of the same session as
// many times, at 1024×512 on files of 2048×1024: x-bare is the throughput of the
// former over that of the latter, the median of the rounds. Whole is what exported
// models do, of the smallest encoder and of a larger one; windows are 512×512 of a
// 1024×512 image, x-bare being counted per run of the session.
func BenchmarkEvaluate(b *testing.B) {
	e := enginetest.Open(b, engine.Options{})
	files := streetTree(b, 12)
	for _, c := range []struct {
		name, encoder, head string

		w, h int
		o    predict.Inference
		runs int // per image
		n    int // images
	}{
		{"whole/mit_b0", "mit_b0", "segformer", 1024, 512, predict.Inference{}, 1, 12},
		{"whole/mit_b2", "mit_b2", "daformer", 1024, 512, predict.Inference{}, 1, 4},
		{"mirrored", "mit_b0", "segformer", 1024, 512, predict.Inference{Flip: true}, 2, 12},
		{"windows", "mit_b0", "segformer", 512, 512, predict.Inference{Width: 1024, Height: 512, WindowWidth: 512, WindowHeight: 512, Overlap: 0.25}, 3, 12},
	} {
		b.Run(c.name, func(b *testing.B) {
			arch := nets.Arch{Encoder: c.encoder, Head: c.head, Classes: 19, HeadWidth: 256, Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375}}
			o := export.ModelOptions{Arch: arch, Space: datasets.Cityscapes19(), Width: c.w, Height: c.h}
			model, err := export.Build(o, exporttest.RandomWeights(b, arch))
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(b.TempDir(), "model.onnx")
			if err := os.WriteFile(path, model, 0o600); err != nil {
				b.Fatal(err)
			}
			p := exporttest.Open(b, e, path, predict.Options{Inference: c.o})
			files.Width, files.Height = p.ImageSize()
			files.Include = nil
			for i := range c.n {
				files.Include = append(files.Include, fmt.Sprintf("city_%06d_*", i))
			}
			d, err := datasets.Open(files)
			if err != nil {
				b.Fatal(err)
			}
			bare := bareRuns(b, e, path, c.w, c.h)
			evaluate := func() {
				if _, err := Evaluate(b.Context(), p, d, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			evaluate() // allocates
			var shares, rates []float64
			for b.Loop() {
				alone, whole := bare(c.n*c.runs), seconds(evaluate)
				shares, rates = append(shares, alone/whole), append(rates, float64(c.n)/whole)
			}
			b.ReportMetric(0, "ns/op") // a round mixes two things
			b.ReportMetric(median.Of(shares), "x-bare")
			b.ReportMetric(median.Of(rates), "images/s")
		})
	}
}

// bareRuns returns what runs the model a number of times and says how long that
// took: no image is decoded, nothing scored.
func bareRuns(b *testing.B, e *engine.Engine, path string, w, h int) func(runs int) float64 {
	b.Helper()
	s, err := e.OpenModel(path)
	if err != nil {
		b.Fatal(err)
	}
	image, errImage := engine.NewTensor(make([]float32, 3*w*h), 1, 3, h, w)
	logits, errLogits := engine.NewTensor(make([]float32, 19*w*h), 1, 19, h, w)
	if errImage != nil || errLogits != nil {
		b.Fatal(errImage, errLogits)
	}
	binding, err := s.Bind(map[string]*engine.Tensor{"image": image}, map[string]*engine.Tensor{"logits": logits})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return func(runs int) float64 {
		return seconds(func() {
			for range runs {
				if err := binding.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}
