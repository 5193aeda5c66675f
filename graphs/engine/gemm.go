package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// GEMMRate measures the rate of a float32 MatMul of n×n matrices on the engine's
// device, in GFLOP/s (a multiplication and an addition count as two): the best
// of several runs after a warm-up, the roof against which sessions are judged.
// threads 0 is the engine's number.
func (e *Engine) GEMMRate(ctx context.Context, n, threads int) (rate float64, err error) {
	if n <= 0 || threads < 0 {
		return 0, fmt.Errorf("GEMM rate: size %d, threads %d", n, threads)
	}
	s, err := e.NewSessionWith("gemm", oneNode("MatMul", []int{n, n}, "a", "b"), SessionOptions{IntraOpThreads: threads})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	arena, err := e.NewDeviceArena(3 * n * n) // beside the product, copies would be most of the time
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, arena.Close()) }()
	var matrices [3]*Tensor
	for i := range matrices {
		data := make([]float32, n*n)
		for j := range data {
			data[j] = float32((j*7+i)%13)/13 - 0.5
		}
		if err := arena.Write(data, i*n*n); err != nil {
			return 0, err
		}
		if matrices[i], err = arena.View(i*n*n, n, n); err != nil {
			return 0, err
		}
	}
	b, err := s.Bind(map[string]*Tensor{"a": matrices[0], "b": matrices[1]}, map[string]*Tensor{"y": matrices[2]})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	const runs = 7
	best := time.Duration(0)
	for i := range runs {
		start := time.Now()
		if err := b.Run(ctx); err != nil {
			return 0, err
		}
		if took := time.Since(start); i > 0 && (best == 0 || took < best) {
			best = took
		}
	}
	return 2 * float64(n) * float64(n) * float64(n) / best.Seconds() / 1e9, nil
}
