package engine

import (
	"fmt"
	"os"

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

// maxModel is the most bytes that a protobuf message has.
const maxModel = 1<<31 - 1

// readModel reads a file that can be a model by its size. Errors name the file.
func readModel(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxModel {
		return nil, fmt.Errorf("%s is no ONNX model: it has %d bytes, of at most %d; larger weights lie in files beside a model", path, info.Size(), maxModel)
	}
	return os.ReadFile(path)
}
