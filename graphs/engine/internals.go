package engine

import (
	"errors"
	"reflect"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// onnxruntime_go keeps the handles of its sessions to itself, and makes no values of
// memory that is not a Go slice. What is read and made here is checked against its
// types first: another version of it must not be misread.

var errInternals = errors.New("this version of onnxruntime_go keeps its handles elsewhere")

// handleOf returns the session's OrtSession.
func handleOf(s *ort.DynamicAdvancedSession) (apiSession, error) {
	inner := reflect.ValueOf(s).Elem().FieldByName("s")
	if !inner.IsValid() || inner.Kind() != reflect.Pointer {
		return nil, errInternals
	}
	handle := inner.Elem().FieldByName("ortSession")
	if !handle.IsValid() || handle.Kind() != reflect.Pointer {
		return nil, errInternals
	}
	return apiSession(handle.UnsafePointer()), nil
}

// optionsOf returns the OrtSessionOptions.
func optionsOf(o *ort.SessionOptions) (apiOptions, error) {
	handle := reflect.ValueOf(o).Elem().FieldByName("o")
	if !handle.IsValid() || handle.Kind() != reflect.Pointer {
		return nil, errInternals
	}
	return apiOptions(handle.UnsafePointer()), nil
}

// residentValue is a value over a device's memory. onnxruntime_go asks the values of
// a run for nothing but GetInternals, so that the embedded interface stays nil.
type residentValue struct {
	ort.Value
	api    *api
	handle apiValue
}

// newResidentValue makes the value that a run takes; the memory must outlive it.
func newResidentValue(a *api, info apiMemoryInfo, dtype DType, address uintptr, dims []int) (*residentValue, error) {
	t := reflect.TypeFor[ort.ValueInternalData]()
	if t.NumField() != 1 || t.Field(0).Name != "ortValue" || t.Field(0).Type.Kind() != reflect.Pointer {
		return nil, errInternals
	}
	handle, err := a.tensor(info, dtype, address, dims)
	if err != nil {
		return nil, err
	}
	return &residentValue{api: a, handle: handle}, nil
}

// GetInternals hands over the handle.
func (v *residentValue) GetInternals() *ort.ValueInternalData {
	data := &ort.ValueInternalData{}
	*(*unsafe.Pointer)(unsafe.Pointer(data)) = unsafe.Pointer(v.handle) // its only field
	return data
}

// Destroy frees the value, not the memory.
func (v *residentValue) Destroy() error {
	v.api.releaseValue(v.handle)
	return nil
}
