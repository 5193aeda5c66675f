package weights

import (
	"fmt"
	"slices"
	"strings"

	"t2sda/graphs/weights/pickle"
)

// The names in PyTorch's pickles that mean something here. Every other name is that
// of an object beside the tensors, which is not read.

// storageTypes are the element types of storages by the names of their classes in
// module torch; torch.storage's untyped ones hold bytes.
var storageTypes = map[string]DType{
	"FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
	"LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
	"ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
	"UntypedStorage": "uint8", "_UntypedStorage": "uint8",
}

// The functions that make tensors, and where their arguments hold what.
const (
	rebuildTensor     = "torch._utils._rebuild_tensor"    // storage, offset, shape, strides
	rebuildTensor2    = "torch._utils._rebuild_tensor_v2" // the same, requires_grad, hooks
	rebuildTensor3    = "torch._utils._rebuild_tensor_v3" // the same, type, metadata
	rebuildParameter  = "torch._utils._rebuild_parameter" // tensor, requires_grad, hooks
	rebuildParameter2 = "torch._utils._rebuild_parameter_with_state"
	rebuildFromType   = "torch._tensor._rebuild_from_type_v2" // function, type, its arguments, state
	parameterClass    = "torch.nn.parameter.Parameter"        // tensor, requires_grad

	dtypeArgument = 6 // of rebuildTensor3
)

// harmful are names that no file of weights has a use for, and that files which
// attack their readers have: modules, and functions of builtins. Nothing is called
// here, whatever the name, but a file that holds one should not be trusted.
var harmful = map[string][]string{
	"builtins": {"eval", "exec", "compile", "open", "__import__", "breakpoint", "input"},
	"os":       nil, "posix": nil, "nt": nil, "subprocess": nil, "sys": nil, "socket": nil, "shutil": nil, "pty": nil, "runpy": nil,
	"importlib": nil, "ctypes": nil, "pickle": nil,
}

// refuse refuses harmful names.
func refuse(g pickle.Global) error {
	module, _, _ := strings.Cut(g.Module, ".")
	if module == "__builtin__" {
		module = "builtins"
	}
	names, ok := harmful[module]
	if ok && (names == nil || slices.Contains(names, g.Name)) {
		return fmt.Errorf("the pickle asks for %s, which no weights need: whoever loads it in Python runs what it says. Do not use this file", g)
	}
	return nil
}

// storageID is what a pickle says of a storage.
type storageID struct {
	kind   DType
	key    string
	shift  int64 // of its beginning in the storage of that key, elements
	number int64 // of elements
}

// parseStorage reads ("storage", class, key, device, number of elements), to which
// very old files add None or (key of the view, offset, elements).
func parseStorage(id any) (storageID, error) {
	t, ok := id.(pickle.Tuple)
	if !ok || len(t) < 5 || t[0] != any("storage") {
		return storageID{}, fmt.Errorf("malformed: elements that are outside of the file")
	}
	class, ok := t[1].(pickle.Global)
	s := storageID{kind: storageTypes[class.Name]}
	if !ok || class.Module != "torch" && class.Module != "torch.storage" || s.kind == "" {
		return storageID{}, fmt.Errorf("a storage of class %v, which is not known", t[1])
	}
	key, ok := t[2].(string)
	number, ok2 := t[4].(int64)
	if !ok || !ok2 {
		return storageID{}, fmt.Errorf("malformed: a storage without key or size")
	}
	s.key, s.number = key, number
	if len(t) > 5 {
		if view, ok := t[5].(pickle.Tuple); ok && len(view) == 3 {
			s.shift, _ = view[1].(int64)
		}
	}
	return s, nil
}
