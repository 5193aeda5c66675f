"""Hugging Face's SegFormer with the weights of a run, under the names of transformers, and its logits beside
those of the plain PyTorch network in segformer_torch.py. Then the way back: weights that transformers saves.

    t2sda weights export --run RUN --out student.safetensors
    t2sda weights export --run RUN --names hf --out hf/model.safetensors
    python segformer_hf.py student.safetensors hf IMAGE     # torch, transformers 5, safetensors, pillow, numpy
    t2sda weights import saved --head segformer --head-width 64     # and saved.pth
"""

import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from segformer_torch import build
from transformers import SegformerConfig, SegformerForSemanticSegmentation

weights, folder, image = sys.argv[1:]
state = load_file(weights)
classes, d = state["decode_head.linear_pred.weight"].shape[:2]
SegformerConfig(hidden_sizes=[16, 32, 64, 128], depths=[1, 2, 2, 2], num_attention_heads=[1, 2, 4, 8], mlp_ratios=[4, 4, 4, 2],
                decoder_hidden_size=d, num_labels=classes).save_pretrained(folder)
hf, info = SegformerForSemanticSegmentation.from_pretrained(folder, output_loading_info=True)
print({k: sorted(v) for k, v in info.items() if k in ("missing_keys", "unexpected_keys", "mismatched_keys")})
for name, m in hf.named_modules():  # the original code's epsilons, which transformers does not keep
    if isinstance(m, torch.nn.LayerNorm):
        m.eps = 1e-5 if "patch_embeddings" in name or "sequence_reduction" in name else 1e-6

plain = build(state)
plain.load_state_dict({k: v for k, v in state.items() if not k.startswith("projector.")})
x = torch.from_numpy(np.asarray(Image.open(image).convert("RGB")).astype(np.float32).transpose(2, 0, 1)[None].copy())
mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
x = (x - mean) / std
with torch.no_grad():
    a, b = hf.eval()(x).logits, plain.decode_head(plain.backbone(x))
print(f"logits {tuple(a.shape)}, from {a.min():.2f} to {a.max():.2f}; largest difference {(a - b).abs().max():.1e}")
hf.save_pretrained("saved")
torch.save(hf.state_dict(), "saved.pth")
