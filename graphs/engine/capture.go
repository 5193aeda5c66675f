package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"t2sda/internal/osthread"
)

// A session that is captured ([SessionOptions.Capture]) computes as usual in its first run, while
// the device's driver takes down what it is told to do; later runs have the driver do that again, and
// no node is looked at any more (CUDA graphs). What follows from it:
//
//   - Addresses are part of what was taken down. The session has one binding, all of whose
//     tensors are the device's: a copy from the host is made before a run and is no part of it.
//   - Within the first run everything is computed several times: to find out what memory it
//     takes, to take it down, and by what was taken down. A tensor that is read and written in
//     place is changed as often.
//   - What was taken down belongs to the thread of the operating system that did it. Another
//     one would begin anew.
//   - Activations stay where they are between runs, so that no other session may have their memory.
//   - While something is taken down nothing else of the process may allocate memory of the device, or
//     wait for it: the first run waits for the engine's other calls, and they for it.
//
// On the CPU sessions do all that follows from it, but for the capture, so that whoever asks for it is
// tested there.

// Captured reports whether the session is captured.
func (s *Session) Captured() bool { return s.thread != nil }

var (
	errCapturedOnce = errors.New("it is captured, and has had its one binding")
	errCapturedHost = errors.New("it is captured: all tensors must lie in the device's memory")
)

// outsideOfCaptures calls f, which calls the device, while nothing is captured.
func (e *Engine) outsideOfCaptures(f func() error) error {
	e.capturing.RLock()
	defer e.capturing.RUnlock()
	return f()
}

// createCaptured creates the session with its runs captured, and without where the device cannot
// do that, which is why. Engines that are strict want no session without.
func (s *Session) createCaptured(model []byte, path string, o SessionOptions) (why, err error) {
	if why = s.createWith(model, path, o); why == nil {
		s.thread = osthread.New()
		return nil, nil
	}
	if s.engine.options.Strict || OutOfMemory(why) {
		return nil, fmt.Errorf("with its runs captured (runtime.cuda.graph): %w", why)
	}
	o.Capture = false
	return why, s.createWith(model, path, o)
}

// callCaptured runs a captured session where it was captured. Who counts the time that is spent in
// calls by ctx ([context.AfterFunc]) is told of this one, which is not cancelled: that would end in
// the midst of the capture, or not at all.
func (s *Session) callCaptured(ctx context.Context, in, out []ort.Value) (err error) {
	defer context.AfterFunc(ctx, func() {})()
	s.thread.Call(func() {
		if s.begun {
			err = s.engine.outsideOfCaptures(func() error { return s.session.Run(in, out) })
			return
		}
		s.engine.capturing.Lock()
		defer s.engine.capturing.Unlock()
		times := 1
		if s.engine.device.kind == "cpu" {
			times = capturedRuns
		}
		for range times {
			if err = s.session.Run(in, out); err != nil {
				return
			}
		}
		s.begun = true
	})
	return err
}

// reserve gives a captured session its one binding, or tells why it cannot be that.
func (s *Session) reserve(b *Binding) error {
	for _, t := range slices.Concat(b.inputs, b.outputs) {
		if t == nil || !t.Resident() {
			return errCapturedHost
		}
	}
	s.bindingsMu.Lock()
	defer s.bindingsMu.Unlock()
	if s.reserved {
		return errCapturedOnce
	}
	s.reserved = true
	return nil
}

// release lets another binding be the one, in the place of one that could not be made.
func (s *Session) release() {
	s.bindingsMu.Lock()
	defer s.bindingsMu.Unlock()
	s.reserved = false
}

// capturedRuns is how often the CPU computes within the first run, in the place of CUDA's provider:
// that one does so twice, it may be only once, to have all memory, and by what it has taken down.
const capturedRuns = 3
