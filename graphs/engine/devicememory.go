package engine

import (
	"errors"

	ort "github.com/yalue/onnxruntime_go"
)

// deviceMemory is a device's memory as ONNX Runtime gives it away: the allocator of a
// session that copies between host and device. The runtime's own CopyTensors knows but
// the devices of plugin libraries, of which CUDA's provider is none; a session that
// takes a value on one side and gives it on the other copies on every provider.
type deviceMemory struct {
	api       *api
	info      apiMemoryInfo
	session   *ort.DynamicAdvancedSession
	allocator apiAllocator
}

func (e *Engine) newDeviceMemory() (_ *deviceMemory, err error) {
	m := &deviceMemory{api: e.api}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if m.info, err = e.api.memoryInfo(e.device); err != nil {
		return nil, err
	}
	options, err := e.sessionOptions(SessionOptions{IntraOpThreads: 1, OptimizationLevel: OptimizeNone}, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	m.session, err = ort.NewDynamicAdvancedSessionWithONNXData(oneNode("Identity", []int{-1}, "x"), []string{"x"}, []string{"y"}, options)
	if err != nil {
		return nil, err
	}
	handle, err := handleOf(m.session)
	if err != nil {
		return nil, err
	}
	if m.allocator, err = e.api.allocator(handle, m.info); err != nil {
		return nil, err
	}
	return m, nil
}

// copy copies a value of one dimension.
func (m *deviceMemory) copy(from, to ort.Value) error {
	return m.session.Run([]ort.Value{from}, []ort.Value{to})
}

// close lets go of allocator and session. No memory may be left.
func (m *deviceMemory) close() (err error) {
	if m.allocator != nil {
		m.api.releaseAllocator(m.allocator)
	}
	if m.session != nil {
		err = m.session.Destroy()
	}
	if m.info != nil {
		m.api.releaseMemoryInfo(m.info)
	}
	return err
}
