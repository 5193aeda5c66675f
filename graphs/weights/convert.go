package weights

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rename is a line of the converter table: names that match become replace. Numbers in {n+1} are the captured number plus one.
type rename struct {
	match   *regexp.Regexp
	replace string
}

// renames turns the names of public checkpoints into ours, which are those of the original code with "backbone." before the encoder's. The first line that matches counts. Sources of the names:
// the original SegFormer repository (ImageNet weights without "backbone."), mmsegmentation from 0.13 on, Hugging Face transformers.
var renames = []rename{
	// original, ImageNet
	line(`^((?:patch_embed|block|norm)[1-4]\..*)$`, `backbone.$1`),
	// mmsegmentation: layers.S = [patch embedding, blocks, norm]
	line(`^(?:backbone\.)?layers\.(\d)\.0\.projection\.(.*)$`, `backbone.patch_embed{$1+1}.proj.$2`),
	line(`^(?:backbone\.)?layers\.(\d)\.0\.norm\.(.*)$`, `backbone.patch_embed{$1+1}.norm.$2`),
	line(`^(?:backbone\.)?layers\.(\d)\.1\.(\d+)\.attn\.attn\.in_proj_(weight|bias)$`, `backbone.block{$1+1}.$2.attn.qkv.$3`),
	line(`^(?:backbone\.)?layers\.(\d)\.1\.(\d+)\.attn\.attn\.out_proj\.(.*)$`, `backbone.block{$1+1}.$2.attn.proj.$3`),
	line(`^(?:backbone\.)?layers\.(\d)\.1\.(\d+)\.ffn\.layers\.0\.(.*)$`, `backbone.block{$1+1}.$2.mlp.fc1.$3`),
	line(`^(?:backbone\.)?layers\.(\d)\.1\.(\d+)\.ffn\.layers\.1\.(.*)$`, `backbone.block{$1+1}.$2.mlp.dwconv.dwconv.$3`),
	line(`^(?:backbone\.)?layers\.(\d)\.1\.(\d+)\.ffn\.layers\.4\.(.*)$`, `backbone.block{$1+1}.$2.mlp.fc2.$3`),
	line(`^(?:backbone\.)?layers\.(\d)\.1\.(\d+)\.(.*)$`, `backbone.block{$1+1}.$2.$3`),
	line(`^(?:backbone\.)?layers\.(\d)\.2\.(.*)$`, `backbone.norm{$1+1}.$2`),
	// transformers
	line(`^(?:segformer\.)?encoder\.patch_embeddings\.(\d)\.proj\.(.*)$`, `backbone.patch_embed{$1+1}.proj.$2`),
	line(`^(?:segformer\.)?encoder\.patch_embeddings\.(\d)\.layer_norm\.(.*)$`, `backbone.patch_embed{$1+1}.norm.$2`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.attention\.self\.query\.(.*)$`, `backbone.block{$1+1}.$2.attn.q.$3`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.attention\.self\.key\.(.*)$`, `backbone.block{$1+1}.$2.attn.k.$3`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.attention\.self\.value\.(.*)$`, `backbone.block{$1+1}.$2.attn.v.$3`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.attention\.self\.sr\.(.*)$`, `backbone.block{$1+1}.$2.attn.sr.$3`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.attention\.self\.layer_norm\.(.*)$`, `backbone.block{$1+1}.$2.attn.norm.$3`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.attention\.output\.dense\.(.*)$`, `backbone.block{$1+1}.$2.attn.proj.$3`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.layer_norm_([12])\.(.*)$`, `backbone.block{$1+1}.$2.norm$3.$4`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.mlp\.dense([12])\.(.*)$`, `backbone.block{$1+1}.$2.mlp.fc$3.$4`),
	line(`^(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\.mlp\.dwconv\.dwconv\.(.*)$`, `backbone.block{$1+1}.$2.mlp.dwconv.dwconv.$3`),
	line(`^(?:segformer\.)?encoder\.layer_norm\.(\d)\.(.*)$`, `backbone.norm{$1+1}.$2`),
	line(`^decode_head\.linear_c\.(\d)\.proj\.(.*)$`, `decode_head.linear_c{$1+1}.proj.$2`),
	line(`^decode_head\.linear_fuse\.weight$`, `decode_head.linear_fuse.conv.weight`),
	line(`^decode_head\.batch_norm\.(.*)$`, `decode_head.linear_fuse.bn.$1`),
	line(`^decode_head\.classifier\.(.*)$`, `decode_head.linear_pred.$1`),
}

func line(match, replace string) rename { return rename{regexp.MustCompile(match), replace} }

var plusOne = regexp.MustCompile(`\{(\d)\+1\}`)

// ourName returns what we call a tensor of a public checkpoint; a name that no line matches stays.
func ourName(name string) string {
	for _, r := range renames {
		if r.match.MatchString(name) {
			out := r.match.ReplaceAllString(name, r.replace)
			return plusOne.ReplaceAllStringFunc(out, func(s string) string { return string(s[1] + 1) })
		}
	}
	return name
}

// FromPublic returns the tensors under our names and in our layouts: separate keys and values are joined, joint queries, keys and values split, 1×1 convolutions of the Mix-FFN become matrices.
// The ImageNet classifier ("head.", "classifier.") and the classifier that the original SegFormer head carries unused ("decode_head.conv_seg" beside "linear_pred") are left out. Other tensors, ours
// among them, pass unchanged. Converted tensors may share memory with the given ones.
func FromPublic(tensors []Tensor) ([]Tensor, error) {
	var out []Tensor
	halves := map[string]Tensor{} // of joint keys and values, until the other half comes
	segformer := slices.ContainsFunc(tensors, func(t Tensor) bool { return ourName(t.Name) == "decode_head.linear_pred.weight" })
	for _, t := range tensors {
		if strings.HasPrefix(t.Name, "head.") || strings.HasPrefix(t.Name, "classifier.") || segformer && strings.HasPrefix(t.Name, "decode_head.conv_seg.") {
			continue
		}
		given := t.Name
		t.Name = ourName(given)
		switch {
		case strings.Contains(t.Name, ".attn.qkv."):
			q, kv, err := splitQueries(t)
			if err != nil {
				return nil, fmt.Errorf("tensor %q: %w", given, err)
			}
			out = append(out, q, kv)
		case strings.Contains(t.Name, ".attn.k.") || strings.Contains(t.Name, ".attn.v."):
			joined := strings.NewReplacer(".attn.k.", ".attn.kv.", ".attn.v.", ".attn.kv.").Replace(t.Name)
			other, ok := halves[joined]
			if !ok {
				halves[joined] = t
				continue
			}
			delete(halves, joined)
			kv, err := joinKeysValues(joined, t, other)
			if err != nil {
				return nil, fmt.Errorf("tensor %q: %w", given, err)
			}
			out = append(out, kv)
		default:
			out = append(out, asMatrix(t))
		}
	}
	for _, t := range halves {
		return nil, fmt.Errorf("tensor %q comes without its other half", t.Name)
	}
	return out, nil
}

// splitQueries splits [3C,…] into the query's [C,…] and the keys' and values' [2C,…].
func splitQueries(t Tensor) (q, kv Tensor, err error) {
	if len(t.Shape) == 0 || t.Shape[0]%3 != 0 {
		return q, kv, fmt.Errorf("shape %v does not split into queries, keys and values", t.Shape)
	}
	c, cut := t.Shape[0]/3, len(t.Data)/3
	q = Tensor{strings.Replace(t.Name, ".qkv.", ".q.", 1), append([]int{c}, t.Shape[1:]...), t.Data[:cut]}
	kv = Tensor{strings.Replace(t.Name, ".qkv.", ".kv.", 1), append([]int{2 * c}, t.Shape[1:]...), t.Data[cut:]}
	return q, kv, nil
}

// joinKeysValues joins two tensors [C,…], of which one is named as the keys', keys first.
func joinKeysValues(name string, a, b Tensor) (Tensor, error) {
	if !slices.Equal(a.Shape, b.Shape) || len(a.Shape) == 0 {
		return Tensor{}, fmt.Errorf("keys and values have shapes %v and %v", a.Shape, b.Shape)
	}
	if strings.Contains(a.Name, ".attn.v.") {
		a, b = b, a
	}
	return Tensor{name, append([]int{2 * a.Shape[0]}, a.Shape[1:]...), slices.Concat(a.Data, b.Data)}, nil
}

// asMatrix drops the kernel axes of the 1×1 convolutions that stand for linear layers.
func asMatrix(t Tensor) Tensor {
	linear := strings.HasSuffix(t.Name, ".mlp.fc1.weight") || strings.HasSuffix(t.Name, ".mlp.fc2.weight")
	if linear && len(t.Shape) == 4 && t.Shape[2] == 1 && t.Shape[3] == 1 {
		t.Shape = t.Shape[:2]
	}
	return t
}
