package engine

import (
	"errors"

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

// Captures reports whether sessions that want it are captured. On the CPU they do all that
// follows from it, but for the capture, so that whoever asks for it is tested there.
func (e *Engine) Captures() bool { return e.options.CUDA.Graph }

// Captured reports whether the session is captured.
func (s *Session) Captured() bool { return s.thread != nil }

var errCapturedOnce = errors.New("it is captured, and has had its one binding")

// createCaptured creates the session with its runs captured, and without where the device cannot
// do that, which is why. Engines that are strict want no session without.
func (s *Session) createCaptured(model []byte, path string, o SessionOptions) (why, err error) {
	if why = s.createWith(model, path, o); why == nil {
		s.thread = osthread.New()
		return nil, nil
	}
	if s.engine.options.Strict {
		return nil, why
	}
	o.Capture = false
	return why, s.createWith(model, path, o)
}

// callCaptured runs a captured session where it was captured.
func (s *Session) callCaptured(in, out []ort.Value) (err error) {
	s.thread.Call(func() {
		times := 1
		if s.engine.device.kind == "cpu" && !s.begun {
			times = capturedRuns
		}
		s.begun = true
		for range times {
			err = errors.Join(err, s.session.Run(in, out))
		}
	})
	return err
}

// capturedRuns is how often the CPU computes within the first run, in the place of CUDA's provider:
// that one does so twice, it may be only once, to have all memory, and by what it has taken down.
const capturedRuns = 3
