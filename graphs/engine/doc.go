// Package engine runs ONNX models in a stock ONNX Runtime shared library. It is
// the only package that knows onnxruntime_go: the rest of the program speaks of
// engines, sessions, tensors and bindings.
//
// # Life of the pieces
//
//   - [Discover] finds the library, [Install] fetches it.
//   - An [Engine] is a loaded library with a device. Engines of one process share
//     ONNX Runtime's process-wide environment; the last one closed unloads it.
//   - A [Session] is one model made ready to run. All sessions of the process
//     share one CPU memory arena, so that sessions run in turn cost the memory of
//     the largest, not of their sum.
//   - A [Tensor] is a shape over memory of the caller: a Go slice or a view of an
//     [Arena]. It needs no engine and outlives any.
//   - A [Binding] ties tensors to the inputs and outputs of a session, once, for
//     many runs without copies. It keeps its tensors alive and pinned.
//
// Closing an engine closes its sessions and device arenas, closing a session closes its bindings.
// Close may be called twice; anything else on a closed object is an error.
//
// # Devices
//
// Tensors are host memory, but for views of a [DeviceArena]. On the CPU a run reads
// and writes them in place. On another device every run copies the bound inputs to
// the device and the outputs back, so that a change in host memory between two runs is
// always seen; what a device arena holds stays where it is.
package engine
