package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Placement says which execution providers run a session's nodes, as the runtime
// assigned them after its basic optimisations.
type Placement struct {
	Session   string
	Providers map[string]int // nodes by provider, such as CUDAExecutionProvider
	// Fallback lists the operators that the CPU runs although the device is another,
	// for want of a kernel there: their data cross twice at every run. Operators that
	// compute shapes are not among them, which the runtime keeps on the CPU on purpose.
	Fallback []string // sorted, each once
	// Captured reports whether runs are captured, and Uncaptured why not, where that was asked for.
	Captured   bool
	Uncaptured string
}

// String writes "CUDAExecutionProvider 310, CPUExecutionProvider 2".
func (p Placement) String() string {
	var parts []string
	for provider, n := range p.Providers {
		parts = append(parts, fmt.Sprintf("%s %d", provider, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// OnCPU reports whether the CPU runs all nodes.
func (p Placement) OnCPU() bool { return len(p.Providers) == 1 && p.Providers[cpuProvider] > 0 }

const cpuProvider = "CPUExecutionProvider"

// recordAssignment is the entry of session options by which the runtime keeps what it
// assigned to whom.
const recordAssignment = "session.record_ep_graph_assignment_info"

// shapeOperators are those that ONNX Runtime moves to the CPU where they work on
// shapes (GetCpuPreferredNodes). CUDA has kernels for all of them, so that their being
// on the CPU is no want of one.
var shapeOperators = []string{
	"Shape", "Size", "Constant", "ConstantOfShape", "Range", "Gather", "Slice", "Concat", "Split", "Squeeze", "Unsqueeze", "Reshape", "Cast",
	"Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Floor", "Ceil", "Equal", "Greater", "Less", "Where", "Not", "And", "Or", "ReduceProd", "Identity",
}

// newPlacement sums up an assignment; own tells whether the device has memory of its
// own, where the CPU is a fallback.
func newPlacement(session string, nodes []assigned, own bool) Placement {
	p := Placement{Session: session, Providers: map[string]int{}}
	for _, n := range nodes {
		p.Providers[n.provider]++
		if own && n.provider == cpuProvider && !slices.Contains(shapeOperators, n.op) {
			p.Fallback = append(p.Fallback, n.op)
		}
	}
	slices.Sort(p.Fallback)
	p.Fallback = slices.Compact(p.Fallback)
	return p
}

// keepsPlacements reports whether sessions are to note which provider got which node.
func (e *Engine) keepsPlacements() bool { return e.options.Placed != nil || e.options.Strict }

// place tells the engine's owner where the session's nodes run, or refuses them. uncaptured is why
// runs are not captured, where that was asked for.
func (s *Session) place(uncaptured error) error {
	e := s.engine
	handle, err := handleOf(s.session)
	if err != nil {
		return err
	}
	nodes, err := e.api.assignment(handle)
	if err != nil {
		return fmt.Errorf("which provider runs which node: %w", err)
	}
	p := newPlacement(s.name, nodes, e.HasOwnMemory())
	if p.Captured = s.Captured(); uncaptured != nil {
		p.Uncaptured = uncaptured.Error()
	}
	if e.options.Placed != nil {
		e.options.Placed(p)
	}
	if e.options.Strict && len(p.Fallback) > 0 {
		return fmt.Errorf("device %s has no kernel for %s, and the CPU is not to run them: set runtime.strict=false, or choose another device", e.device, strings.Join(p.Fallback, ", "))
	}
	return nil
}
