package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"t2sda/internal/protofield"

	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/encoding/protowire"
)

// Runs reports whether the engine's device itself runs operator op as a model has it,
// and why not. It is asked by making a session of the model, which should be small, once
// for each op and kind, under which the answer is kept; kind is what tells models of one
// operator apart, such as the element type.
//
// Where the runtime has no kernel for a node, it may refuse the model, give the node to
// the CPU, or run a kernel of another type and leave casts out or put others in. So the
// node must be assigned to the device's provider, and the session's model, which the
// runtime saves on request, must have the operators of the one that it was given.
func (e *Engine) Runs(op, kind string, model []byte) (runs bool, reason string, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return false, "", errEngineClosed
	}
	e.kernelsMu.Lock()
	defer e.kernelsMu.Unlock()
	key := [2]string{op, kind}
	if reason, ok := e.kernels[key]; ok {
		return reason == "", reason, nil
	}
	err = e.outsideOfCaptures(func() (err error) {
		reason, err = e.tryKernel(op, model)
		return err
	})
	if err != nil {
		return false, "", fmt.Errorf("whether device %s runs %s in %s: %w", e.device, op, kind, err)
	}
	e.kernels[key] = reason
	return reason == "", reason, nil
}

// tryKernel makes and drops a session of the model, and returns why the device does not
// run op; empty: it does.
func (e *Engine) tryKernel(op string, model []byte) (reason string, err error) {
	dir, err := os.MkdirTemp("", "t2sda-kernel-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	saved := filepath.Join(dir, "model.onnx")
	options, err := e.sessionOptions(SessionOptions{OptimizationLevel: OptimizeNone, IntraOpThreads: 1}, "")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	err = errors.Join(options.AddSessionConfigEntry(recordAssignment, "1"), options.SetOptimizedModelFilePath(saved))
	if err != nil {
		return "", err
	}
	in, out, err := signature(model)
	if err != nil {
		return "", err
	}
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(model, ioNames(in), ioNames(out), options)
	if err != nil {
		return err.Error(), nil // this is the answer
	}
	defer func() { err = errors.Join(err, session.Destroy()) }()
	handle, err := handleOf(session)
	if err != nil {
		return "", err
	}
	nodes, err := e.api.assignment(handle)
	if err != nil {
		return "", err
	}
	made, err := os.ReadFile(saved)
	if err != nil {
		return "", err
	}
	return e.judge(op, nodes, model, made)
}

// judge says why the device does not run op, by which provider got it and by what the
// runtime made of the model.
func (e *Engine) judge(op string, nodes []assigned, given, made []byte) (reason string, err error) {
	i := slices.IndexFunc(nodes, func(n assigned) bool { return n.op == op })
	switch {
	case i < 0:
		return "no provider has a kernel", nil
	case e.HasOwnMemory() && nodes[i].provider == cpuProvider:
		return "only the CPU has a kernel", nil
	}
	before, err := operators(given)
	if err != nil {
		return "", err
	}
	after, err := operators(made)
	if err != nil {
		return "", err
	}
	if !slices.Equal(before, after) {
		return "the runtime computes it in another type", nil
	}
	return "", nil
}

// operators lists the operators of a model's nodes, sorted, less the copies that the
// runtime inserts between devices.
func operators(model []byte) (ops []string, err error) {
	const nodeOp = 4
	err = fields(model, func(num protowire.Number, b []byte) error {
		if num != modelGraph {
			return nil
		}
		return fields(b, func(num protowire.Number, b []byte) error {
			if op := protofield.Text(b, nodeOp); num == graphNode && op != "MemcpyToHost" && op != "MemcpyFromHost" {
				ops = append(ops, op)
			}
			return nil
		})
	})
	slices.Sort(ops)
	return ops, err
}
