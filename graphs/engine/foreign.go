package engine

import (
	"fmt"

	"t2sda/internal/filekind"
)

// foreign says what a file is that is no ONNX model, and how to get one; nil
// where it cannot tell.
func foreign(model []byte) error {
	switch kind := filekind.Of(model[:min(len(model), 32)]); {
	case kind.Torch():
		return fmt.Errorf("is %s: want an ONNX model, made in Python by torch.onnx.export(network.eval(), example, 'model.onnx') (weights alone are no network)", kind)
	case kind != "":
		return fmt.Errorf("is %s: want an ONNX model", kind)
	}
	return nil
}
