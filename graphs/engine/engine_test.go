package engine

import (
	"context"
	"errors"
	"testing"
)

// open returns an engine, or skips the test when there is no library.
func open(t testing.TB, o Options) *Engine {
	t.Helper()
	if _, err := Discover(o.Library); err != nil {
		var lib *LibraryError
		if errors.As(err, &lib) && lib.File == "" {
			t.Skipf("needs ONNX Runtime: %v", err)
		}
		t.Fatal(err)
	}
	e, err := Open(o)
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

func tensor[T Element](t testing.TB, data []T, dims ...int) *Tensor {
	t.Helper()
	x, err := NewTensor(data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestOpenRunCloseAndOpenAgain(t *testing.T) {
	for range 3 {
		e := open(t, Options{IntraOpThreads: 1})
		info := e.Info()
		if info.Version != Version || info.Device != "cpu" || info.Providers[0] != "cpu" {
			t.Fatalf("info %+v", info)
		}
		t.Log(info)
		s, err := e.NewSession("add", oneNode("Add", []int{2}, "a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(context.Background(), map[string]*Tensor{
			"a": tensor(t, []float32{1, 2}, 2), "b": tensor(t, []float32{10, 20}, 2),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := out["y"].Floats(); got[0] != 11 || got[1] != 22 {
			t.Fatalf("got %v", got)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(context.Background(), nil); err == nil {
			t.Fatal("a run after Close succeeded")
		}
	}
}
