package weights

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// convert is what people run where their PyTorch file lies: most checkpoints
// hold their tensors under state_dict.
const convert = `python -c "import torch, safetensors.torch as s; d = torch.load('%s', map_location='cpu'); d = d.get('state_dict', d); s.save_file({k: v.contiguous() for k, v in d.items() if torch.is_tensor(v)}, '%s')"`

// beginnings are those of files that are taken for safetensors, and what they
// are. PyTorch's are ZIP archives of pickles since version 1.6, and pickles
// before, as many .bin files are.
var beginnings = []struct {
	bytes, what string
	pytorch     bool
}{
	{"PK\x03\x04", "a PyTorch file (a ZIP archive)", true},
	{"\x80\x02", "a PyTorch file (a pickle)", true},
	{"\x80\x03", "a PyTorch file (a pickle)", true},
	{"\x80\x04", "a PyTorch file (a pickle)", true},
	{"\x80\x05", "a PyTorch file (a pickle)", true},
	{"version https://git-lfs", "a Git LFS pointer: the file itself was not fetched (git lfs pull)", false},
	{"\x89HDF", "an HDF5 file: want safetensors", false},
	{"<!DOCTYPE", "a web page: the download failed", false},
	{"<html", "a web page: the download failed", false},
}

// recognise says what a file is that is no safetensors file, and how to get
// one; nil where it cannot tell.
func recognise(path string, f io.ReaderAt) error {
	head := make([]byte, 32)
	n, _ := f.ReadAt(head, 0)                             // a shorter file has a shorter beginning
	if n < 8 || bytes.Equal(head[4:8], make([]byte, 4)) { // the size of a safetensors header
		return nil
	}
	for _, b := range beginnings {
		if !bytes.HasPrefix(head[:n], []byte(b.bytes)) {
			continue
		}
		if b.pytorch {
			name := filepath.Base(path)
			to := strings.TrimSuffix(name, filepath.Ext(name)) + ".safetensors"
			return fmt.Errorf("is %s; weights are read from safetensors files. Convert it once, with the packages torch and safetensors: "+convert, b.what, name, to)
		}
		return fmt.Errorf("is %s", b.what)
	}
	return nil
}
