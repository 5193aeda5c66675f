package orchestrator

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"t2sda/graphs/weights"
	"t2sda/internal/atomicfile"
	"t2sda/internal/median"
	"t2sda/orchestrator/learner"
)

// BenchmarkDigests writes a checkpoint's tensors, of public networks, with and without
// their digests, in turn. It reports the median time with them and the median of the
// ratios, as what they add; and the processor's time of both, which other work on the
// machine does not change.
func BenchmarkDigests(b *testing.B) {
	for _, encoder := range []string{"mit_b1", "mit_b5"} {
		b.Run(encoder, func(b *testing.B) {
			files, size := checkpointOf(b, encoder)
			root := b.TempDir()
			write := func(put func(dir, name string, tensors func(w io.Writer) error) error) [2]float64 {
				dir := filepath.Join(root, "checkpoint")
				began, before := time.Now(), processorTime(b)
				if err := os.Mkdir(dir, 0o755); err != nil {
					b.Fatal(err)
				}
				for name, tensors := range files {
					if err := put(dir, name, func(w io.Writer) error { return weights.Encode(w, tensors, nil) }); err != nil {
						b.Fatal(err)
					}
				}
				took := [2]float64{time.Since(began).Seconds(), processorTime(b) - before}
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
				return took
			}
			var with, ratios, busy, plainly []float64
			for i := range b.N {
				ways := []func() [2]float64{
					func() [2]float64 {
						return write(func(dir, name string, tensors func(w io.Writer) error) error {
							return atomicfile.WriteFunc(filepath.Join(dir, name), tensors)
						})
					},
					func() [2]float64 {
						return write(func(dir, name string, tensors func(w io.Writer) error) error {
							return sums{}.write(atomicfile.Disk{}, dir, name, tensors)
						})
					},
				}
				var took [2][2]float64
				for _, k := range []int{i % 2, 1 - i%2} { // what comes second writes over what the disk still has to do
					took[k] = ways[k]()
				}
				with, ratios = append(with, took[1][0]), append(ratios, took[1][0]/took[0][0])
				plainly, busy = append(plainly, took[0][1]), append(busy, took[1][1])
			}
			b.ReportMetric(median.Of(with), "s/checkpoint")
			b.ReportMetric(100*(median.Of(ratios)-1), "%digests")
			b.ReportMetric(median.Of(busy), "cpu-s/checkpoint")
			b.ReportMetric(median.Of(plainly), "cpu-s/without")
			b.ReportMetric(size/1e6, "MB")
			b.ReportMetric(0, "ns/op")
			b.Logf("with digests %.2f s, ratios %.2f, in order", with, ratios)
		})
	}
}

// checkpointOf makes tensors of all of a network's state, and says how many bytes they are.
func checkpointOf(b *testing.B, encoder string) (files map[string][]weights.Tensor, size float64) {
	b.Helper()
	c := shapesConfig("x", "y")
	c.Model.Encoder, c.Model.Head, c.Model.HeadWidth, c.Model.ProjectorWidth = encoder, "daformer", 256, 256
	specs, err := learner.Arch(c, 19).Params()
	if err != nil {
		b.Fatal(err)
	}
	files = map[string][]weights.Tensor{}
	for file, prefixes := range map[string][]string{studentFile: {""}, teacherFile: {""}, optimFile: {"m/", "v/"}} {
		for _, prefix := range prefixes {
			for _, s := range specs {
				x := weights.Tensor{Name: prefix + s.Name, Shape: s.Shape, Data: make([]float32, s.Shape.Size())}
				for i := range x.Data {
					x.Data[i] = float32(i%8191) / 8191
				}
				files[file], size = append(files[file], x), size+float64(4*len(x.Data))
			}
		}
	}
	return files, size
}

func processorTime(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
