package engine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// CUDAOptions are the options of the CUDA provider that matter here. Empty fields
// leave ONNX Runtime's default, except for TF32, which is off unless asked for.
type CUDAOptions struct {
	TF32                bool   // 10-bit mantissas in matrix products: faster, not for gradient checks
	ConvAlgoSearch      string // EXHAUSTIVE | HEURISTIC | DEFAULT
	ArenaExtendStrategy string // kNextPowerOfTwo | kSameAsRequested
	MemoryLimit         int64  // bytes of device memory; 0: no limit
	// SharedArena makes all sessions of the process share one memory arena on the
	// device, as they do on the CPU, so that sessions run in turn cost the memory of
	// the largest, not of their sum.
	SharedArena bool
	// Graph captures the runs of sessions that are made for it, see [SessionOptions.Capture].
	// Each needs an arena of its own.
	Graph bool
}

func (c CUDAOptions) validate() error {
	searches := []string{"", "EXHAUSTIVE", "HEURISTIC", "DEFAULT"}
	if !slices.Contains(searches, c.ConvAlgoSearch) {
		return fmt.Errorf("cuda: convolution algorithm search %q: EXHAUSTIVE, HEURISTIC or DEFAULT", c.ConvAlgoSearch)
	}
	strategies := []string{"", "kNextPowerOfTwo", "kSameAsRequested"}
	if !slices.Contains(strategies, c.ArenaExtendStrategy) {
		return fmt.Errorf("cuda: arena extend strategy %q: kNextPowerOfTwo or kSameAsRequested", c.ArenaExtendStrategy)
	}
	if c.MemoryLimit < 0 {
		return fmt.Errorf("cuda: memory limit %d is negative", c.MemoryLimit)
	}
	if c.Graph && c.SharedArena {
		return errors.New("cuda: what is captured keeps an arena of its own, and cannot share one")
	}
	return nil
}

// settings returns the provider's options by ONNX Runtime's names.
func (c CUDAOptions) settings(ordinal int) map[string]string {
	m := map[string]string{"device_id": strconv.Itoa(ordinal), "use_tf32": "0"}
	if c.TF32 {
		m["use_tf32"] = "1"
	}
	if c.ConvAlgoSearch != "" {
		m["cudnn_conv_algo_search"] = c.ConvAlgoSearch
	}
	if c.ArenaExtendStrategy != "" {
		m["arena_extend_strategy"] = c.ArenaExtendStrategy
	}
	if c.MemoryLimit > 0 {
		m["gpu_mem_limit"] = strconv.FormatInt(c.MemoryLimit, 10)
	}
	return m
}

// device is a place where sessions run, or, as a request, a wish for one.
type device struct {
	kind    string // cpu | cuda | auto
	ordinal int    // of the CUDA device
}

func parseDevice(s string) (device, error) {
	switch s {
	case "", "cpu":
		return device{kind: "cpu"}, nil
	case "auto", "cuda":
		return device{kind: s}, nil
	}
	if n, ok := strings.CutPrefix(s, "cuda:"); ok {
		if i, err := strconv.ParseUint(n, 10, 16); err == nil {
			return device{kind: "cuda", ordinal: int(i)}, nil
		}
	}
	return device{}, fmt.Errorf("device %q: cpu, cuda, cuda:<number> or auto", s)
}

func (d device) wantsCUDA() bool { return d.kind != "cpu" }

// String returns cpu, cuda:<n> or auto.
func (d device) String() string {
	if d.kind == "cuda" {
		return fmt.Sprintf("cuda:%d", d.ordinal)
	}
	return d.kind
}

// choose turns a request into the device to use: a CUDA device counts as there
// when a session with one node can be made on it.
func (e *Engine) choose(request device) (device, error) {
	if !request.wantsCUDA() {
		return request, nil
	}
	cuda := device{kind: "cuda", ordinal: request.ordinal}
	err := e.tryDevice(cuda)
	switch {
	case err == nil:
		return cuda, nil
	case request.kind == "auto":
		return device{kind: "cpu"}, nil
	}
	return device{}, e.noCUDA(cuda, err)
}

// tryDevice makes and drops a session of one node on the device.
func (e *Engine) tryDevice(d device) (err error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	if err := e.appendDevice(options, d, false); err != nil {
		return err
	}
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(oneNode("Relu", []int{1}, "x"), nil, nil, options)
	if err != nil {
		return err
	}
	return session.Destroy()
}

// appendDevice adds the device's execution provider to session options. The CPU
// provider is always there, for nodes the device has no kernel for. capture makes runs be captured.
func (e *Engine) appendDevice(options *ort.SessionOptions, d device, capture bool) (err error) {
	if d.kind != "cuda" {
		return nil
	}
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cuda.Destroy()) }()
	settings := e.options.CUDA.settings(d.ordinal)
	if capture {
		settings["enable_cuda_graph"] = "1"
	}
	if err := cuda.Update(settings); err != nil {
		return err
	}
	return options.AppendExecutionProviderCUDA(cuda)
}

// providers lists the execution providers that work here: the CPU's and, if a
// session can be made on it, CUDA's. Trying tells more than the library's own list
// (which onnxruntime_go does not expose): that one names every provider compiled
// in, whether or not its files and a device are there. The WebGPU provider of the
// npm package's library is left alone, since setting it up prints warnings where
// there is no Vulkan and makes unloading the library crash.
func (e *Engine) providers() []string {
	found := []string{"cpu"}
	if e.outsideOfCaptures(func() error { return e.tryDevice(device{kind: "cuda", ordinal: e.device.ordinal}) }) == nil {
		found = append(found, "cuda")
	}
	return found
}
