package engine

import (
	"fmt"

	"t2sda/internal/filekind"
)

// foreign says what a file is that is no ONNX model, and how to get one; nil
// where it cannot tell.
func foreign(model []byte) error {
	switch kind := filekind.Of(model[:min(len(model), 32)]); kind {
	case "":
		return nil
	case filekind.Zip, filekind.TorchPickle:
		return fmt.Errorf("is %s: want an ONNX model; of a network of PyTorch's, torch.onnx.export(network.eval(), example, 'model.onnx') makes one in Python (weights alone are no network)", kind)
	default:
		return fmt.Errorf("is %s: want an ONNX model", kind)
	}
}
