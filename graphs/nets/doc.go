// Package nets builds the networks as graphs: Mix Transformer (MiT) encoders, the SegFormer and the DAFormer head, and the T2S projector.
//
// Vocabulary. Tokens are [N,L,C] with L = h·w positions, maps are [N,C,h,w]; h and w follow from the input by the arithmetic of convolutions, so any size from [Arch.MinSize] on will do.
// The residual stream of the encoder is tokens, because LayerNormalization works on the last axis. Its branches compute channel-major [N,C,L], which FusedMatMul reads and writes without a
// Transpose: queries, keys, values, and the Mix-FFN's hidden map. So a stage transposes twice (after its patch embedding and at its end) and a block not at all, but for the spatial reduction.
//
// Parameters bear the names of the public PyTorch models: "backbone." with the names of the original MiT code ("patch_embed1.proj.weight", "block1.0.attn.kv.weight", …), "decode_head." with those of
// SegFormer's and DAFormer's code, and "projector.", which is ours. Linear weights are [out,in], convolution weights [out,in/groups,kh,kw].
//
// Sources: Xie et al., "SegFormer" (2021); Hoyer et al., "DAFormer" (2022); Wang et al., "Pulling Target to Source" (2024).
package nets
