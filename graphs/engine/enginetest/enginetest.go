// Package enginetest gives tests an ONNX Runtime, or skips them where none is
// installed.
package enginetest

import (
	"cmp"
	"errors"
	"os"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// Library returns the path of the library that tests use. It skips the test,
// with the reason, where none is installed.
func Library(t testing.TB) string {
	t.Helper()
	path, err := engine.Discover("")
	if missing := new(engine.LibraryError); errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Isolate is [Library] for tests of whole runs: the library stays, but the test
// gets a user's cache of its own and leaves nothing in the real one.
func Isolate(t testing.TB) {
	t.Helper()
	t.Setenv(engine.LibraryEnv, Library(t))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
}

// DeviceEnv is the environment variable that names the device on which tests run,
// such as cuda; empty: the CPU.
const DeviceEnv = "T2SDA_TEST_DEVICE"

// Device returns the device on which tests run.
func Device() string { return cmp.Or(os.Getenv(DeviceEnv), "cpu") }

// OnDevice reports whether tests run elsewhere than on the CPU, where equal runs need
// not be equal bit by bit, and may differ from other ways to compute the same.
func OnDevice() bool { return Device() != "cpu" }

// Tolerance returns x on the CPU and ten times as much elsewhere, where products and
// sums are rounded in another order, and functions are other approximations.
func Tolerance(x float64) float64 {
	if OnDevice() {
		return 10 * x
	}
	return x
}

// Open returns an engine that is closed when the test ends, on [Device] unless o names
// another. It skips the test where the library is not installed.
func Open(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	Library(t)
	o.Device = cmp.Or(o.Device, Device())
	o.CUDA.ConvAlgoSearch = cmp.Or(o.CUDA.ConvAlgoSearch, "HEURISTIC") // a search for each small convolution is most of a test's time
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// Session returns a session of the graph that is closed when the test ends.
func Session(t testing.TB, e *engine.Engine, g *graphs.Graph) *engine.Session {
	t.Helper()
	return session(t, e, g, g.Marshal, engine.SessionOptions{})
}

// NativeSession is Session with the engine's own operators, where it has some: what programs have.
func NativeSession(t testing.TB, e *engine.Engine, g *graphs.Graph) *engine.Session {
	t.Helper()
	if !e.Native() {
		return Session(t, e, g)
	}
	return session(t, e, g, func() ([]byte, error) { return g.MarshalNative(e.Exact()) }, engine.SessionOptions{Native: true})
}

func session(t testing.TB, e *engine.Engine, g *graphs.Graph, marshal func() ([]byte, error), o engine.SessionOptions) *engine.Session {
	t.Helper()
	model, err := marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewSessionWith(g.Name(), model, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Tensor is [engine.NewTensor] for tests.
func Tensor[T engine.Element](t testing.TB, data []T, dims ...int) *engine.Tensor {
	t.Helper()
	x, err := engine.NewTensor(data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
