package weights

import "slices"

// DINOv2's Vision Transformers. Sources: facebookresearch/dinov2, whose names are ours
// without "backbone." (timm has the same where there are no registers); the files of
// Hugging Face transformers, and its state dictionary since version 5. The token for
// masked patches, which training alone used, is no tensor of ours.
//
// timm's models with registers are another form: positions are added to the class
// token there, and those of patches alone are left.
var dinov2Tables = slices.Concat(
	dinov2Original(""),
	dinov2Original("encoder."), // VFM-UDA's checkpoints
	dinov2Transformers(""),
	dinov2Transformers("dinov2."), // within a classifier of images
	dinov2Transformers("dinov2_with_registers."),
)

// dinov2Original is the table of the original names behind a prefix. Where there are
// several for one convention, the first is written.
func dinov2Original(prefix string) []table {
	return []table{{convention: "dinov2", rules: []rule{
		same("backbone.cls_token", prefix+"cls_token"),
		same("backbone.pos_embed", prefix+"pos_embed"),
		same("backbone.register_tokens", prefix+"register_tokens"),
		same("backbone.patch_embed.proj.*", prefix+"patch_embed.proj.*"),
		same("backbone.blocks.{b}.*", prefix+"blocks.{b}.*"),
		same("backbone.norm.*", prefix+"norm.*"),
	}, same: []string{"decode_head."}}}
}

// dinov2Transformers are the tables of transformers: of files, and of version 5.
func dinov2Transformers(prefix string) []table {
	const ours = "backbone.blocks.{b}."
	layer := prefix + "encoder.layer.{b}."
	shared := []rule{
		same("backbone.cls_token", prefix+"embeddings.cls_token"),
		same("backbone.pos_embed", prefix+"embeddings.position_embeddings"),
		same("backbone.register_tokens", prefix+"embeddings.register_tokens"),
		same("backbone.patch_embed.proj.*", prefix+"embeddings.patch_embeddings.projection.*"),
		same("backbone.norm.*", prefix+"layernorm.*"),
		same(ours+"norm{k}.*", layer+"norm{k}.*"),
		same(ours+"ls{k}.gamma", layer+"layer_scale{k}.lambda1"),
		same(ours+"mlp.*", layer+"mlp.*"),
	}
	return []table{
		{convention: "hf", rules: append([]rule{
			joined(ours+"attn.qkv.*", layer+"attention.attention.query.*", layer+"attention.attention.key.*", layer+"attention.attention.value.*"),
			same(ours+"attn.proj.*", layer+"attention.output.dense.*"),
		}, shared...)},
		{convention: "hf5", rules: append([]rule{
			joined(ours+"attn.qkv.*", layer+"attention.q_proj.*", layer+"attention.k_proj.*", layer+"attention.v_proj.*"),
			same(ours+"attn.proj.*", layer+"attention.o_proj.*"),
		}, shared...)},
	}
}
