// Package peaktest measures the peak memory of benchmarks, each in a process of its
// own. Only tests import it.
package peaktest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// resultFile is the variable of the environment that tells a child where its result goes.
const resultFile = "T2SDA_BENCH_PEAK"

// Report reports, as MiB, the largest resident size of a fresh process that does
// nothing but work. The benchmark that calls it must do nothing before, and isolated
// is called in the parent alone, before the child inherits its environment.
func Report(b *testing.B, isolate func(), work func()) {
	b.Helper()
	if path := os.Getenv(resultFile); path != "" { // the child
		work()
		if err := os.WriteFile(path, fmt.Append(nil, peak(b)), 0o644); err != nil {
			b.Fatal(err)
		}
		return
	}
	isolate()
	var mib float64
	for b.Loop() {
		mib = child(b)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mib, "MiB")
}

// child runs the benchmark b in a process of its own and returns its peak.
func child(b *testing.B) (mib float64) {
	path := filepath.Join(b.TempDir(), "peak")
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(b.Name()), "/", "$/^") + "$"
	run := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench="+pattern, "-test.benchtime=1x")
	run.Env = append(os.Environ(), resultFile+"="+path)
	if out, err := run.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &mib); err != nil {
		b.Fatal(err)
	}
	return mib
}

// peak returns the largest resident size of this process so far, MiB. It does not
// read getrusage's: a child begins with its parent's.
func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		b.Skip("this system has no /proc/self/status")
	}
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, scanErr := fmt.Sscan(after, &kib); err != nil || !ok || scanErr != nil {
		b.Fatalf("/proc/self/status: %v, %v", err, scanErr)
	}
	return kib / 1024
}
