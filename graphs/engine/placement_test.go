package engine

import (
	"slices"
	"testing"
)

// TestPlacement: what the CPU runs is a fallback on a device only, and not where it
// works on shapes.
func TestPlacement(t *testing.T) {
	nodes := []assigned{
		{"CUDAExecutionProvider", "a", "Conv"},
		{"CPUExecutionProvider", "b", "Resize"},
		{"CPUExecutionProvider", "c", "Shape"},
		{"CPUExecutionProvider", "d", "Resize"},
		{"CPUExecutionProvider", "e", "Col2Im"},
	}
	p := newPlacement("s", nodes, true)
	if want := []string{"Col2Im", "Resize"}; !slices.Equal(p.Fallback, want) {
		t.Errorf("fallback %v, want %v", p.Fallback, want)
	}
	if want := "CPUExecutionProvider 4, CUDAExecutionProvider 1"; p.String() != want || p.Session != "s" {
		t.Errorf("%s: %s, want %s", p.Session, p, want)
	}
	if p := newPlacement("s", nodes, false); p.Fallback != nil {
		t.Errorf("on the CPU: fallback %v", p.Fallback)
	}
}
