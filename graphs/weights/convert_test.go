package weights_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
)

// b0 returns MiT-B0 with the SegFormer head under our names; tensor k holds k+1, k+2, …
func b0(t *testing.T) []weights.Tensor {
	t.Helper()
	specs, err := nets.Arch{Encoder: "mit_b0", Head: "segformer", Classes: 3, HeadWidth: 4, Std: [3]float32{1, 1, 1}}.Params()
	if err != nil {
		t.Fatal(err)
	}
	var out []weights.Tensor
	for k, p := range specs {
		x := weights.Tensor{Name: p.Name, Shape: slices.Clone(p.Shape), Data: make([]float32, p.Shape.Size())}
		for i := range x.Data {
			x.Data[i] = float32(k + i + 1)
		}
		out = append(out, x)
	}
	return out
}

// rows returns rows from to to of x under another name.
func rows(x weights.Tensor, name string, from, to int) weights.Tensor {
	row := len(x.Data) / x.Shape[0]
	return weights.Tensor{Name: name, Shape: append([]int{to - from}, x.Shape[1:]...), Data: x.Data[from*row : to*row]}
}

// The public names, by inverse renaming of ours; stage counts from 0 in both.

func toTransformers(x weights.Tensor) []weights.Tensor {
	var stage, block int
	name := strings.TrimPrefix(x.Name, "backbone.")
	if n, _ := fmt.Sscanf(name, "block%d.%d.", &stage, &block); n == 2 {
		rest := strings.SplitN(name, ".", 3)[2]
		prefix := fmt.Sprintf("segformer.encoder.block.%d.%d.", stage-1, block)
		if kind, ok := strings.CutPrefix(rest, "attn.kv."); ok {
			half := x.Shape[0] / 2
			return []weights.Tensor{rows(x, prefix+"attention.self.value."+kind, half, 2*half), rows(x, prefix+"attention.self.key."+kind, 0, half)}
		}
		x.Name = prefix + strings.NewReplacer("attn.q.", "attention.self.query.", "attn.proj.", "attention.output.dense.", "attn.sr.", "attention.self.sr.",
			"attn.norm.", "attention.self.layer_norm.", "norm1.", "layer_norm_1.", "norm2.", "layer_norm_2.", "mlp.fc", "mlp.dense").Replace(rest)
		return []weights.Tensor{x}
	}
	for s := range 4 {
		name = strings.NewReplacer(
			fmt.Sprintf("patch_embed%d.norm", s+1), fmt.Sprintf("segformer.encoder.patch_embeddings.%d.layer_norm", s),
			fmt.Sprintf("patch_embed%d.", s+1), fmt.Sprintf("segformer.encoder.patch_embeddings.%d.", s),
			fmt.Sprintf("linear_c%d.", s+1), fmt.Sprintf("linear_c.%d.", s),
			"linear_fuse.conv", "linear_fuse", "linear_fuse.bn", "batch_norm", "linear_pred", "classifier").Replace(name)
		if rest, ok := strings.CutPrefix(name, fmt.Sprintf("norm%d.", s+1)); ok {
			name = fmt.Sprintf("segformer.encoder.layer_norm.%d.%s", s, rest)
		}
	}
	x.Name = name
	return []weights.Tensor{x}
}

func toMMSegmentation(q map[string]weights.Tensor) func(x weights.Tensor) []weights.Tensor {
	return func(x weights.Tensor) []weights.Tensor {
		var stage, block int
		name := strings.TrimPrefix(x.Name, "backbone.")
		if n, _ := fmt.Sscanf(name, "block%d.%d.", &stage, &block); n == 2 {
			rest := strings.SplitN(name, ".", 3)[2]
			prefix := fmt.Sprintf("backbone.layers.%d.1.%d.", stage-1, block)
			if kind, ok := strings.CutPrefix(rest, "attn.kv."); ok {
				query := q[strings.Replace(x.Name, ".kv.", ".q.", 1)]
				shape := append([]int{3 * query.Shape[0]}, query.Shape[1:]...)
				return []weights.Tensor{{Name: prefix + "attn.attn.in_proj_" + kind, Shape: shape, Data: slices.Concat(query.Data, x.Data)}}
			}
			if strings.HasPrefix(rest, "attn.q.") {
				return nil
			}
			if rest == "mlp.fc1.weight" || rest == "mlp.fc2.weight" {
				x.Shape = append(slices.Clone(x.Shape), 1, 1)
			}
			x.Name = prefix + strings.NewReplacer("attn.proj.", "attn.attn.out_proj.", "mlp.fc1.", "ffn.layers.0.", "mlp.dwconv.dwconv.", "ffn.layers.1.", "mlp.fc2.", "ffn.layers.4.").Replace(rest)
			return []weights.Tensor{x}
		}
		for s := range 4 {
			name = strings.NewReplacer(fmt.Sprintf("patch_embed%d.proj", s+1), fmt.Sprintf("backbone.layers.%d.0.projection", s), fmt.Sprintf("patch_embed%d.norm", s+1), fmt.Sprintf("backbone.layers.%d.0.norm", s)).Replace(name)
			if rest, ok := strings.CutPrefix(name, fmt.Sprintf("norm%d.", s+1)); ok {
				name = fmt.Sprintf("backbone.layers.%d.2.%s", s, rest)
			}
		}
		x.Name = name
		return []weights.Tensor{x}
	}
}

// TestFromPublic renames all of a network's tensors to each public scheme and converts them back.
func TestFromPublic(t *testing.T) {
	ours := b0(t)
	byName := map[string]weights.Tensor{}
	for _, x := range ours {
		byName[x.Name] = x
	}
	for scheme, public := range map[string]func(x weights.Tensor) []weights.Tensor{
		"ours": func(x weights.Tensor) []weights.Tensor { return []weights.Tensor{x} },
		"original": func(x weights.Tensor) []weights.Tensor {
			x.Name = strings.TrimPrefix(x.Name, "backbone.")
			return []weights.Tensor{x}
		},
		"transformers":    toTransformers,
		"mmsegmentation":  toMMSegmentation(byName),
		"mmseg, backbone": func(x weights.Tensor) []weights.Tensor { return trimmed(toMMSegmentation(byName)(x)) },
	} {
		given := []weights.Tensor{{Name: "head.weight", Shape: []int{1}, Data: []float32{0}}, {Name: "decode_head.conv_seg.bias", Shape: []int{1}, Data: []float32{0}}}
		for _, x := range ours {
			given = append(given, public(x)...)
		}
		got, err := weights.FromPublic(given)
		if err != nil {
			t.Errorf("%s: %v", scheme, err)
			continue
		}
		dst := b0(t)
		for i := range dst {
			clear(dst[i].Data)
		}
		if err := weights.Assign(scheme, dst, got); err != nil {
			t.Error(err)
			continue
		}
		for i, x := range dst { // Assign has compared names and shapes
			if !slices.Equal(x.Data, ours[i].Data) {
				t.Errorf("%s: %s has other content", scheme, x.Name)
			}
		}
	}
}

func trimmed(list []weights.Tensor) []weights.Tensor {
	for i := range list {
		list[i].Name = strings.TrimPrefix(list[i].Name, "backbone.")
	}
	return list
}

func TestFromPublicRefuses(t *testing.T) {
	key := weights.Tensor{Name: "segformer.encoder.block.0.0.attention.self.key.bias", Shape: []int{2}, Data: []float32{1, 2}}
	value := weights.Tensor{Name: "segformer.encoder.block.0.0.attention.self.value.bias", Shape: []int{1}, Data: []float32{1}}
	joint := weights.Tensor{Name: "layers.0.1.0.attn.attn.in_proj_bias", Shape: []int{4}, Data: []float32{1, 2, 3, 4}}
	for want, given := range map[string][]weights.Tensor{
		`"backbone.block1.0.attn.k.bias" comes without its other half`:               {key},
		`"segformer.encoder.block.0.0.attention.self.value.bias": keys and values`:   {key, value},
		`"layers.0.1.0.attn.attn.in_proj_bias": shape [4] does not split into queri`: {joint},
	} {
		if _, err := weights.FromPublic(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
