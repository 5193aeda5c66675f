package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"t2sda/graphs/engine"
	"t2sda/internal/usercache"
)

// bandwidth copies a block to the device and back, as checkpoints and state on the host
// are copied.
func (x *examination) bandwidth(context.Context) Check {
	if err := x.need(); err != nil {
		return failed(err)
	}
	n := 64 << 20 / 4
	if x.Quick {
		n /= 4
	}
	in, out, err := copies(x.engine, n)
	if err != nil {
		return failed(err)
	}
	what := "to the device %.1f GB/s, back %.1f GB/s"
	if !x.engine.HasOwnMemory() {
		what = "copies within the host's memory, as to a device %.1f GB/s, as back %.1f GB/s"
	}
	return pass(what+" (blocks of %d MiB)", in, out, 4*n>>20).with(map[string]any{"to_gb_s": in, "from_gb_s": out, "bytes": 4 * n})
}

// copies returns rates in GB/s, the best of three after one that warms up.
func copies(e *engine.Engine, n int) (in, out float64, err error) {
	a, err := e.NewDeviceArena(n)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i % 8191)
	}
	back := make([]float32, n)
	for i := range 4 {
		start := time.Now()
		if err := a.Write(data, 0); err != nil {
			return 0, 0, err
		}
		wrote := time.Now()
		if err := a.Read(back, 0); err != nil {
			return 0, 0, err
		}
		if read := time.Since(wrote); i > 0 {
			in, out = max(in, rate(n, wrote.Sub(start))), max(out, rate(n, read))
		}
	}
	for i := range back {
		if back[i] != data[i] {
			return 0, 0, fmt.Errorf("value %d of %d came back as %g, not %g", i, n, back[i], data[i])
		}
	}
	return in, out, nil
}

func rate(floats int, took time.Duration) float64 { return float64(4*floats) / took.Seconds() / 1e9 }

// products measures matrix products, with TF32 where the device may have it.
func (x *examination) products(ctx context.Context) Check {
	if err := x.need(); err != nil {
		return failed(err)
	}
	size := 1024
	if x.engine.HasOwnMemory() {
		size = 8192
	}
	if x.Quick {
		size /= 2
	}
	fp32, err := x.engine.GEMMRate(ctx, size, 0)
	if err != nil {
		return failed(err)
	}
	values := map[string]any{"size": size, "fp32_gflop_s": fp32}
	text := fmt.Sprintf("%.0f GFLOP/s in float32", fp32)
	if x.engine.HasOwnMemory() {
		tf32, err := x.tf32Rate(ctx, size)
		if err != nil {
			return failed(err)
		}
		values["tf32_gflop_s"] = tf32
		text += fmt.Sprintf(", %.0f with TF32", tf32)
	}
	return pass("%s (%d×%[2]d matrices)", text, size).with(values)
}

func (x *examination) tf32Rate(ctx context.Context, size int) (rate float64, err error) {
	e, err := x.open(func(o *engine.Options) { o.Device, o.CUDA.TF32 = x.engine.Info().Device, true })
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return e.GEMMRate(ctx, size, 0)
}

// disk measures the folder of caches, where class statistics and weights are kept.
func (x *examination) disk(context.Context) Check {
	dir, err := usercache.Dir()
	if err != nil {
		return skip("there is no cache folder (%v)", err)
	}
	n := 32 << 20
	if x.Quick {
		n /= 4
	}
	write, read, err := diskRates(dir, n)
	if err != nil {
		return skip("%s cannot be written to: %v", dir, err)
	}
	return pass("%s: written and synced at %.0f MB/s, read back at %.0f MB/s (from the page cache)", dir, write, read).with(map[string]any{
		"folder": dir, "write_mb_s": write, "read_mb_s": read, "bytes": n,
	})
}

// diskRates writes and reads a file of n bytes, in MB/s.
func diskRates(dir string, n int) (write, read float64, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, 0, err
	}
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, n)
	start := time.Now()
	if _, err := f.Write(block); err != nil {
		return 0, 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, 0, err
	}
	wrote := time.Now()
	if _, err := f.ReadAt(block, 0); err != nil {
		return 0, 0, err
	}
	return float64(n) / wrote.Sub(start).Seconds() / 1e6, float64(n) / time.Since(wrote).Seconds() / 1e6, nil
}
