// Package filekind tells files for what they are that are given as weights or
// models and are neither.
package filekind

import "bytes"

// Kind is what a file is, in words that follow "is"; empty where it cannot be
// told.
type Kind string

// PyTorch's files are ZIP archives of pickles since version 1.6, and pickles
// before, as many .bin files are.
const (
	TorchArchive Kind = "a PyTorch file (a ZIP archive)"
	TorchPickle  Kind = "a PyTorch file (a pickle)"
)

// Torch reports whether PyTorch has written the file.
func (k Kind) Torch() bool { return k == TorchArchive || k == TorchPickle }

var beginnings = []struct {
	bytes string
	kind  Kind
}{
	{"PK\x03\x04", TorchArchive},
	{"\x80\x02", TorchPickle},
	{"\x80\x03", TorchPickle},
	{"\x80\x04", TorchPickle},
	{"\x80\x05", TorchPickle},
	{"version https://git-lfs", "a Git LFS pointer, the file itself was not fetched (git lfs pull)"},
	{"\x89HDF", "an HDF5 file"},
	{"<!DOCTYPE", "a web page, the download failed"},
	{"<html", "a web page, the download failed"},
}

// Of judges by the first bytes of a file, of which 32 are enough.
func Of(head []byte) Kind {
	if len(head) < 8 || bytes.Equal(head[4:8], make([]byte, 4)) {
		return "" // the size of a safetensors header, if anything
	}
	for _, b := range beginnings {
		if bytes.HasPrefix(head, []byte(b.bytes)) {
			return b.kind
		}
	}
	return ""
}
