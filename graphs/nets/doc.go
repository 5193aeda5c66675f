// Package nets builds the networks as graphs: encoders (Mix Transformers, ResNets, MobileNetV2,
// EfficientNet-Lite0, DINOv2's Vision Transformers), heads (SegFormer's, DAFormer's, DeepLabV2's,
// Lite R-ASPP, a linear one) and the T2S projector.
//
// An encoder turns an image into levels: feature maps [N,C_i,h_i,w_i], any number of them with any
// channels and strides, finest first. A head turns levels into what its classifier reads, and that
// into logits. Both are a file and a line of a table (tables.go); nothing else knows what levels
// there are.
//
// A layer is described once, where it is used: creating it declares its parameters (name, shape,
// initial values), applying it writes its operators. What parameters a network has is found by
// building it once, on a small image, and sorted into the order of arenas ([Arch.Params]).
//
// How an operator is written depends on what the graph is for: a lowering says it, one for each
// [Mode].
//
// Vocabulary. Tokens are [N,L,C] with L = h·w positions, maps are [N,C,h,w]; h and w follow from
// the input by the arithmetic of convolutions, so any size from [Arch.MinSize] on will do.
//
// Parameters bear the names of the public PyTorch models: "backbone." with the names of the
// original code of the encoder, "decode_head." with those of the head's code, and "projector.",
// which is ours. Linear weights are [out,in], convolution weights [out,in/groups,kh,kw].
//
// Sources: Xie et al., "SegFormer" (2021); Hoyer et al., "DAFormer" (2022); He et al., "Deep
// Residual Learning" (2016); Chen et al., "DeepLab" (2017); Sandler et al., "MobileNetV2" (2018);
// Tan and Le, "EfficientNet" (2019); Howard et al., "Searching for MobileNetV3" (2019); Oquab et
// al., "DINOv2" (2023); Darcet et al., "Vision Transformers Need Registers" (2023); Hu et al.,
// "LoRA" (2021); Wang et al., "Pulling Target to Source" (2024).
package nets
