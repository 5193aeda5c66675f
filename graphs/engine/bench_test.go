package engine

import (
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
)

// BenchmarkBindingRun is the overhead of a run: a node over four floats, alone
// and with hundreds of further bound parameters.
func BenchmarkBindingRun(b *testing.B) {
	for _, params := range []int{0, 400} {
		b.Run(fmt.Sprintf("params=%d", params), func(b *testing.B) {
			e := open(b, Options{IntraOpThreads: 1})
			m := newModel()
			in, out := map[string]*Tensor{}, map[string]*Tensor{}
			for i := range params + 1 {
				x, y := fmt.Sprintf("x%d", i), fmt.Sprintf("y%d", i)
				m.in(x, Float32, 4).out(y, Float32, 4).node("n"+x, "Relu", x, y)
				in[x], out[y] = tensor(b, make([]float32, 4), 4), tensor(b, make([]float32, 4), 4)
			}
			bound, err := m.session(b, e, "relu").Bind(in, out)
			must(b, err)
			b.ReportAllocs()
			for b.Loop() {
				must(b, bound.Run(b.Context()))
			}
		})
	}
}

// BenchmarkSpinning runs a chain of small operators with two threads, alone and
// while Go goroutines keep the cores busy as a loader's would; "busy" reports how
// much work they get done beside it.
func BenchmarkSpinning(b *testing.B) {
	for _, spinning := range []bool{false, true} {
		for _, workers := range []int{0, 1} {
			b.Run(fmt.Sprintf("spinning=%v/workers=%d", spinning, workers), func(b *testing.B) {
				e := open(b, Options{IntraOpThreads: 2, AllowSpinning: spinning})
				const n, nodes = 256, 40
				m := newModel().in("x0", Float32, n, n)
				for i := range nodes {
					m.node(fmt.Sprintf("n%d", i), []string{"MatMul", "Add"}[i%2], fmt.Sprintf("x%d x0", i), fmt.Sprintf("x%d", i+1))
				}
				last := fmt.Sprintf("x%d", nodes)
				s := m.out(last, Float32, n, n).session(b, e, "chain")
				bound, err := s.Bind(map[string]*Tensor{"x0": tensor(b, make([]float32, n*n), n, n)},
					map[string]*Tensor{last: tensor(b, make([]float32, n*n), n, n)})
				must(b, err)
				var units atomic.Int64
				stop := make(chan struct{})
				for range workers {
					go busy(&units, stop)
				}
				for b.Loop() {
					must(b, bound.Run(b.Context()))
				}
				close(stop)
				b.ReportMetric(float64(units.Load())/b.Elapsed().Seconds(), "busy/s")
			})
		}
	}
}

// busy does units of arithmetic until stop is closed.
func busy(units *atomic.Int64, stop <-chan struct{}) {
	x := 0.5
	for {
		select {
		case <-stop:
			runtime.KeepAlive(x)
			return
		default:
		}
		for range 10000 {
			x = math.Sqrt(x + 1)
		}
		units.Add(1)
	}
}

// BenchmarkGEMM is the rate of a 1024³ MatMul.
func BenchmarkGEMM(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			e := open(b, Options{})
			best := 0.0
			for b.Loop() {
				rate, err := e.GEMMRate(b.Context(), 1024, threads)
				must(b, err)
				best = max(best, rate)
			}
			b.ReportMetric(best, "GFLOP/s")
		})
	}
}
