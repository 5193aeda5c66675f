package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/nccl"
	"t2sda/internal/nvidia"
	"t2sda/orchestrator"
)

// TestGPUs, on two GPUs with NCCL and mpirun, T2SDA_TEST_DEVICE=cuda: a run whose gradients go
// from GPU to GPU is near one whose gradients pass through the host. (Kernels of GPUs need not
// give the same bits twice.)
func TestGPUs(t *testing.T) {
	if !enginetest.OnDevice() {
		t.Skip("needs two GPUs, and " + enginetest.DeviceEnv + "=cuda")
	}
	if driver, err := nvidia.Look(); err != nil || len(driver.GPUs) < 2 {
		t.Skipf("needs two GPUs: %+v, %v", driver, err)
	}
	if _, err := nccl.Find(); err != nil {
		t.Fatal(err)
	}
	enginetest.Isolate(t)
	folder, iterations := t.TempDir(), 50
	var jobs []*job
	for _, exchange := range []string{"mpi", "nccl"} {
		j := trained(t, folder, 2, exchange, trainWords(exchange, fmt.Sprint("train.iterations=", iterations), "train.batch=1", "train.accumulate=4",
			"runtime.device=cuda", "runtime.state=device", "runtime.exchange="+exchange)...)
		if says := strings.Contains(j.said.String(), "gradients go from GPU to GPU"); says != (exchange == "nccl") {
			t.Errorf("runtime.exchange=%s: %s", exchange, &j.said)
		}
		jobs = append(jobs, j)
	}
	jobs[1].near(t, jobs[0], iterations)
}

// near compares what two runs have learned: losses of every iteration, and the sum of each.
func (j *job) near(t *testing.T, want *job, iterations int) {
	t.Helper()
	a, errA := orchestrator.ReadEvents(filepath.Join(want.dir, "events.jsonl"))
	b, errB := orchestrator.ReadEvents(filepath.Join(j.dir, "events.jsonl"))
	if errA != nil || errB != nil || len(a) != iterations || len(b) != iterations {
		t.Fatal(len(a), len(b), errA, errB)
	}
	sums := map[string][2]float64{}
	for i := range a {
		for name, x := range a[i].Losses {
			y, is := b[i].Losses[name]
			if far := math.Abs(y-x) > 0.2*math.Abs(x)+0.05; !is || far {
				t.Errorf("iteration %d: %s is %g and %g", i, name, y, x)
			}
			sums[name] = [2]float64{sums[name][0] + x, sums[name][1] + y}
		}
	}
	for name, s := range sums {
		if far := math.Abs(s[1]-s[0]) > 0.05*math.Abs(s[0])+0.01; far {
			t.Errorf("%s adds up to %g and %g", name, s[1], s[0])
		}
	}
}
