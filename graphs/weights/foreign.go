package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"t2sda/internal/filekind"
)

// convert is what people run where their PyTorch file lies: most checkpoints
// hold their tensors under state_dict.
const convert = `python -c "import torch, safetensors.torch as s; d = torch.load('%s', map_location='cpu'); d = d.get('state_dict', d); s.save_file({k: v.contiguous() for k, v in d.items() if torch.is_tensor(v)}, '%s')"`

// recognise says what a file is that is no safetensors file, and how to get
// one; nil where it cannot tell.
func recognise(path string, f io.ReaderAt) error {
	head := make([]byte, 32)
	n, _ := f.ReadAt(head, 0) // a shorter file has a shorter beginning
	head = head[:n]
	if n >= 8 && binary.LittleEndian.Uint64(head) < 1<<32 {
		return nil // the size of a header, not what a file of another kind begins with
	}
	switch kind := filekind.Of(head); kind {
	case "":
		return nil
	case filekind.Zip, filekind.TorchPickle:
		name := filepath.Base(path)
		to := strings.TrimSuffix(name, filepath.Ext(name)) + ".safetensors"
		return fmt.Errorf("is %s; weights are read from safetensors files. Convert what PyTorch has written once, with the packages torch and safetensors: "+convert, kind, name, to)
	default:
		return fmt.Errorf("is %s: want a safetensors file", kind)
	}
}
