// Package serve shows a segmentation model to people and programs over HTTP: a page,
// POST /v1/segment, and what an operator asks of a service: bounds on everything that
// a request may take, health, metrics, an end that finishes what runs.
//
// A request that is let in (gate.go) reads its image, waits for one of a few places to
// decode it, hands the filled task to the model's runner (runner.go), which lets tasks
// that wait share a run where the model takes several images, and makes its answer.
package serve
