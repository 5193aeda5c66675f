package filekind

import "testing"

func TestOf(t *testing.T) {
	for head, want := range map[string]Kind{
		"PK\x03\x04\x14\x00\x00\x00archive":       Zip,
		"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j":        TorchPickle, // torch.save before 1.6
		"\x80\x04\x95and more":                    TorchPickle,
		"version https://git-lfs.github.com/":     "a Git LFS pointer, the file itself was not fetched (git lfs pull)",
		"\x00\x00\x00\x18ftypheic":                "a HEIC picture, as telephones take them",
		"\x00\x00\x00\x18ftypisom":                "a video",
		"\x20\x02\x00\x00\x00\x00\x00\x00{\"a\":": "a safetensors file, weights without a network", // a header of 544 bytes
		"PK":                          "",
		"\x08\x08\x12\x07pytorch\x1a": "", // ONNX
	} {
		if have := Of([]byte(head)); have != want {
			t.Errorf("%q is %q, want %q", head, have, want)
		}
	}
}
