package engine

import "strings"

// OutOfMemory reports whether ONNX Runtime failed because it could not have memory, of the
// host or of a device. It has no error code for that.
func OutOfMemory(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	for _, sign := range []string{"Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "CUDA failure 2:", "Available memory of"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
