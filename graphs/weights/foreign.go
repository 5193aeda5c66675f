package weights

import (
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
	switch kind := filekind.Of(head[:n]); {
	case kind.Torch():
		name := filepath.Base(path)
		to := strings.TrimSuffix(name, filepath.Ext(name)) + ".safetensors"
		return fmt.Errorf("is %s; weights are read from safetensors files. Convert it once, with the packages torch and safetensors: "+convert, kind, name, to)
	case kind != "":
		return fmt.Errorf("is %s: want a safetensors file", kind)
	}
	return nil
}
