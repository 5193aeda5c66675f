package weights

// The Mix Transformer and its heads. Sources: the code of SegFormer (NVlabs) and
// DAFormer, whose names are ours; mmsegmentation from 0.13 on; Hugging Face
// transformers, before version 5 and since; segmentation_models.pytorch.
//
// DAFormer's head has the names of ours in mmsegmentation; mmsegmentation's own
// SegFormer head is another network (a convolution with batch norm per level), and
// so has no names here.
var mitTables = []table{
	{convention: "original", rules: []rule{
		same("backbone.patch_embed{s}.*", "patch_embed{s}.*"),
		same("backbone.block{s}.*", "block{s}.*"),
		same("backbone.norm{s}.*", "norm{s}.*"),
	}, same: []string{"decode_head."}},

	{convention: "hf", rules: []rule{
		same("backbone.patch_embed{s+1}.proj.*", "(segformer.)encoder.patch_embeddings.{s}.proj.*"),
		same("backbone.patch_embed{s+1}.norm.*", "(segformer.)encoder.patch_embeddings.{s}.layer_norm.*"),
		same("backbone.block{s+1}.{b}.attn.q.*", "(segformer.)encoder.block.{s}.{b}.attention.self.query.*"),
		joined("backbone.block{s+1}.{b}.attn.kv.*", "(segformer.)encoder.block.{s}.{b}.attention.self.key.*", "(segformer.)encoder.block.{s}.{b}.attention.self.value.*"),
		same("backbone.block{s+1}.{b}.attn.proj.*", "(segformer.)encoder.block.{s}.{b}.attention.output.dense.*"),
		same("backbone.block{s+1}.{b}.attn.sr.*", "(segformer.)encoder.block.{s}.{b}.attention.self.sr.*"),
		same("backbone.block{s+1}.{b}.attn.norm.*", "(segformer.)encoder.block.{s}.{b}.attention.self.layer_norm.*"),
		same("backbone.block{s+1}.{b}.norm{k}.*", "(segformer.)encoder.block.{s}.{b}.layer_norm_{k}.*"),
		same("backbone.block{s+1}.{b}.mlp.fc{k}.*", "(segformer.)encoder.block.{s}.{b}.mlp.dense{k}.*"),
		same("backbone.block{s+1}.{b}.mlp.dwconv.dwconv.*", "(segformer.)encoder.block.{s}.{b}.mlp.dwconv.dwconv.*"),
		same("backbone.norm{s+1}.*", "(segformer.)encoder.layer_norm.{s}.*"),
		same("decode_head.linear_c{s+1}.proj.*", "decode_head.linear_c.{s}.proj.*"),
		same("decode_head.linear_fuse.conv.*", "decode_head.linear_fuse.*"),
		same("decode_head.linear_fuse.bn.*", "decode_head.batch_norm.*"),
		same("decode_head.linear_pred.*", "decode_head.classifier.*"),
	}},

	// The state dictionary since version 5; its files keep the names above.
	{convention: "hf5", rules: []rule{
		same("backbone.patch_embed{s+1}.proj.*", "(segformer.)stages.{s}.patch_embeddings.proj.*"),
		same("backbone.patch_embed{s+1}.norm.*", "(segformer.)stages.{s}.patch_embeddings.layer_norm.*"),
		same("backbone.block{s+1}.{b}.norm1.*", "(segformer.)stages.{s}.blocks.{b}.layernorm_before.*"),
		same("backbone.block{s+1}.{b}.norm2.*", "(segformer.)stages.{s}.blocks.{b}.layernorm_after.*"),
		same("backbone.block{s+1}.{b}.attn.q.*", "(segformer.)stages.{s}.blocks.{b}.attention.q_proj.*"),
		joined("backbone.block{s+1}.{b}.attn.kv.*", "(segformer.)stages.{s}.blocks.{b}.attention.k_proj.*", "(segformer.)stages.{s}.blocks.{b}.attention.v_proj.*"),
		same("backbone.block{s+1}.{b}.attn.proj.*", "(segformer.)stages.{s}.blocks.{b}.attention.o_proj.*"),
		same("backbone.block{s+1}.{b}.attn.sr.*", "(segformer.)stages.{s}.blocks.{b}.attention.sequence_reduction.sequence_reduction.*"),
		same("backbone.block{s+1}.{b}.attn.norm.*", "(segformer.)stages.{s}.blocks.{b}.attention.sequence_reduction.layer_norm.*"),
		same("backbone.block{s+1}.{b}.mlp.*", "(segformer.)stages.{s}.blocks.{b}.mlp.*"),
		same("backbone.norm{s+1}.*", "(segformer.)stages.{s}.layer_norm.*"),
		same("decode_head.linear_c{s+1}.proj.*", "decode_head.linear_projections.{s}.proj.*"),
		same("decode_head.linear_fuse.conv.*", "decode_head.linear_fuse.*"),
		same("decode_head.linear_fuse.bn.*", "decode_head.batch_norm.*"),
		same("decode_head.linear_pred.*", "decode_head.classifier.*"),
	}},

	// layers.S = [patch embedding, blocks, norm]
	{convention: "mmseg", rules: []rule{
		same("backbone.patch_embed{s+1}.proj.*", "(backbone.)layers.{s}.0.projection.*"),
		same("backbone.patch_embed{s+1}.norm.*", "(backbone.)layers.{s}.0.norm.*"),
		{
			ours:   []rows{{parsePattern("backbone.block{s+1}.{b}.attn.q.*"), 1}, {parsePattern("backbone.block{s+1}.{b}.attn.kv.*"), 2}},
			public: []rows{{parsePattern("(backbone.)layers.{s}.1.{b}.attn.attn.in_proj_*"), 3}},
		},
		same("backbone.block{s+1}.{b}.attn.proj.*", "(backbone.)layers.{s}.1.{b}.attn.attn.out_proj.*"),
		same("backbone.block{s+1}.{b}.attn.sr.*", "(backbone.)layers.{s}.1.{b}.attn.sr.*"),
		same("backbone.block{s+1}.{b}.attn.norm.*", "(backbone.)layers.{s}.1.{b}.attn.norm.*"),
		same("backbone.block{s+1}.{b}.norm{k}.*", "(backbone.)layers.{s}.1.{b}.norm{k}.*"),
		linear("backbone.block{s+1}.{b}.mlp.fc1.*", "(backbone.)layers.{s}.1.{b}.ffn.layers.0.*"),
		same("backbone.block{s+1}.{b}.mlp.dwconv.dwconv.*", "(backbone.)layers.{s}.1.{b}.ffn.layers.1.*"),
		linear("backbone.block{s+1}.{b}.mlp.fc2.*", "(backbone.)layers.{s}.1.{b}.ffn.layers.4.*"),
		same("backbone.norm{s+1}.*", "(backbone.)layers.{s}.2.*"),
	}, same: []string{"decode_head.embed_layers.", "decode_head.fuse_layer.", "decode_head.conv_seg."}},

	// HRDA and MIC: two heads within one, the second of which only networks of two resolutions have.
	{convention: "hrda", rules: []rule{
		same("decode_head.*", "decode_head.head.*"),
		same("scale_attention.*", "decode_head.scale_attention.*"),
	}, same: []string{encoderPrefix}},

	{convention: "smp", rules: []rule{
		same("backbone.patch_embed{s}.*", "encoder.patch_embed{s}.*"),
		same("backbone.block{s}.*", "encoder.block{s}.*"),
		same("backbone.norm{s}.*", "encoder.norm{s}.*"),
	}},
}

// joined joins tensors of equally many rows, which are one tensor of ours.
func joined(ours string, public ...string) rule {
	r := rule{ours: []rows{{parsePattern(ours), len(public)}}}
	for _, p := range public {
		r.public = append(r.public, rows{parsePattern(p), 1})
	}
	return r
}

// linear is a renaming of a linear layer that is a 1×1 convolution there.
func linear(ours, public string) rule {
	r := same(ours, public)
	r.matrix = true
	return r
}
