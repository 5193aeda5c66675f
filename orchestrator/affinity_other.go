//go:build !linux

package orchestrator

// affinity names the cores that this process may run on: all of them.
func affinity() string { return "" }
