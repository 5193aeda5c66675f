package filekind

import "testing"

func TestOf(t *testing.T) {
	for head, want := range map[string]Kind{
		"PK\x03\x04\x14\x00\x00\x00archive":   TorchArchive,
		"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j":    TorchPickle, // torch.save before 1.6
		"\x80\x04\x95and more":                TorchPickle,
		"version https://git-lfs.github.com/": "a Git LFS pointer, the file itself was not fetched (git lfs pull)",
		"\x80\x02\x00\x00\x00\x00\x00\x00{\"": "", // a safetensors header of 640 bytes
		"PK":                                  "",
		"\x08\x08\x12\x07pytorch\x1a":         "", // ONNX
	} {
		if have := Of([]byte(head)); have != want || have.Torch() != (want == TorchArchive || want == TorchPickle) {
			t.Errorf("%q is %q, want %q", head, have, want)
		}
	}
}
