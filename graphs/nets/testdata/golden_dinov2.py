"""Reference values for DINOv2's encoders, the linear head and LoRA: forward results and gradients from PyTorch.

Run once, by hand, in this directory; golden_dinov2.safetensors beside it is the result, and neither the build nor the tests run this file:

    git clone https://github.com/facebookresearch/dinov2 && git -C dinov2 checkout b8931f7bf91576930313be2c6d6af376033b35f0
    PYTHONPATH=dinov2 python golden_dinov2.py   # as golden.py; without xFormers

golden.py says what the file holds and how inputs are made. The encoder is facebookresearch/dinov2's own DinoVisionTransformer, narrower and shallower, with the settings of its hub models: offset 0.1 without registers, antialiasing with four of them.
Levels are get_intermediate_layers(norm=True, reshape=True) of all four blocks, of the image resized to the next multiples of 14 as in VFM-UDA's networks (tue-mps/vfm-uda). The same weights in transformers' Dinov2Model and
Dinov2WithRegistersModel must give the same, which `transformers_agrees` checks; the first interpolates positions by size, so it gets the other's.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from dinov2.models.vision_transformer import DinoVisionTransformer
from safetensors.numpy import save_file
from torch import nn
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from golden import Projector, SegFormer, compact, draw, weight

WIDTH, HEADS, DEPTH, GRID = 32, 2, 4, 4


class Linear(nn.Module):
    """facebookresearch/dinov2's BNHead."""

    def __init__(self, widths, _, classes):
        super().__init__()
        self.bn = nn.BatchNorm2d(widths[-1])
        self.conv_seg = nn.Conv2d(widths[-1], classes, 1)

    def forward(self, levels):
        return self.conv_seg(self.bn(levels[-1]))


class LoRA(nn.Module):
    """Adds (alpha/r)·B·A·x to queries and values of a block."""

    def __init__(self, qkv, name, r, alpha):
        super().__init__()
        self.scale = alpha / r
        self.weights = {}
        for part in "qv":
            for k, shape in (("A", (r, WIDTH)), ("B", (WIDTH, r))):
                self.weights[f"{name}.{part}.lora_{k}.weight"] = nn.Parameter(weight(f"{name}.{part}.lora_{k}.weight", shape))
        self.parts = list(self.weights.values())
        qkv.register_forward_hook(self.add)

    def add(self, _, x, y):
        qa, qb, va, vb = self.parts
        x = x[0]
        zero = torch.zeros_like(x)
        return y + self.scale * torch.cat([x @ qa.T @ qb.T, zero, x @ va.T @ vb.T], -1)


def transformers_agrees(enc, x, levels, registers):
    common = dict(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, image_size=14 * GRID, patch_size=14, attn_implementation="sdpa")
    m = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(num_register_tokens=registers, **common)) if registers else Dinov2Model(Dinov2Config(**common))
    m = m.double()
    theirs = m.state_dict()
    ours = enc.state_dict()
    used = set()

    def take(name, rows=None):
        used.add(name)
        t = ours[name]
        return t if rows is None else t[rows * WIDTH : (rows + 1) * WIDTH]

    for k in theirs:
        n = k.replace("embeddings.cls_token", "cls_token").replace("embeddings.mask_token", "mask_token").replace("embeddings.register_tokens", "register_tokens")
        n = n.replace("embeddings.position_embeddings", "pos_embed").replace("embeddings.patch_embeddings.projection", "patch_embed.proj").replace("encoder.layer.", "blocks.")
        n = n.replace("layer_scale1.lambda1", "ls1.gamma").replace("layer_scale2.lambda1", "ls2.gamma").replace("layernorm.", "norm.").replace("attention.o_proj", "attn.proj")
        rows = None
        for i, p in enumerate(("q_proj", "k_proj", "v_proj")):
            if f"attention.{p}" in n:
                n, rows = n.replace(f"attention.{p}", "attn.qkv"), i
        theirs[k].copy_(take(n, rows))
    assert used == set(ours), set(ours) - used
    b, _, h, w = x.shape
    m.embeddings.interpolate_pos_encoding = lambda e, height, width: enc.interpolate_pos_encoding(e, height, width)
    with torch.no_grad():
        states = m(x, output_hidden_states=True).hidden_states[1:]
        for s, l in zip(states, levels, strict=True):
            y = m.layernorm(s)[:, 1 + registers :].reshape(b, h // 14, w // 14, -1).permute(0, 3, 1, 2)
            assert (y - l).abs().max() < 1e-9, (y - l).abs().max()


def case(out, name, registers, lora, head, classes, width, feature_width, concat, n, h, w):
    torch.set_default_dtype(torch.float64)
    enc = DinoVisionTransformer(
        img_size=14 * GRID, patch_size=14, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, init_values=1.0, block_chunks=0, num_register_tokens=registers,
        interpolate_antialias=registers > 0, interpolate_offset=0.0 if registers else 0.1).double()
    widths = [WIDTH] * 4
    modules = {"backbone": enc, "decode_head": head(widths, width, classes), "projector": Projector(widths, feature_width, concat)}
    params, stats = {}, {}
    for prefix, m in modules.items():
        m.train()
        for k, p in m.named_parameters():
            full = f"{prefix}.{k}"
            p.data.copy_(weight(full, p.shape))
            if k == "mask_token":
                continue
            if lora and prefix == "backbone":
                p.requires_grad = False
            else:
                params[full] = p
        for k, b in m.named_modules():
            if isinstance(b, nn.BatchNorm2d):
                b.register_forward_pre_hook(lambda _, x, k=f"{prefix}.{k}": stats.update({k: x[0]}))
    raw = torch.tensor(((draw("image", n * 3 * h * w) + 1) * 127.5).astype(np.float32).astype(np.float64)).reshape(n, 3, h, w)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    x = F.interpolate((raw - mean) / std, size=(math.ceil(h / 14) * 14, math.ceil(w / 14) * 14), mode="bilinear", align_corners=False)
    if not lora:
        transformers_agrees(enc, x, enc.get_intermediate_layers(x, range(DEPTH), reshape=True), registers)
    else:
        for i, block in enumerate(enc.blocks):
            params.update(LoRA(block.attn.qkv, f"backbone.blocks.{i}.attn", 3, 6).weights)
    levels = enc.get_intermediate_layers(x, range(DEPTH), reshape=True)
    logits, features = modules["decode_head"](levels), modules["projector"](levels)
    loss = (logits * torch.tensor(draw("cotangent.logits", logits.numel())).reshape(logits.shape)).sum()
    loss = loss + (features * torch.tensor(draw("cotangent.features", features.numel())).reshape(features.shape)).sum()
    loss.backward()

    out[f"{name}.logits"] = logits.detach().contiguous().numpy().astype(np.float32)
    out[f"{name}.features"] = features.detach().contiguous().numpy().astype(np.float32)
    for i, l in enumerate(levels):
        out[f"{name}.level{i}"] = compact(f"level{i}", l.contiguous())
    for k, x in stats.items():
        out[f"{name}.mean.{k}"] = compact(k, x.mean((0, 2, 3)))
        out[f"{name}.var.{k}"] = compact(k, x.var((0, 2, 3), unbiased=False))
    for k, p in params.items():
        out[f"{name}.grad.{k}"] = compact(k, p.grad)


if __name__ == "__main__":
    tensors = {}
    case(tensors, "vit", 0, False, SegFormer, 11, 48, 24, True, 2, 53, 75)  # no multiples of 14; both sides of the positions' grid of 4: 4 and 6 patches
    case(tensors, "registers", 4, False, Linear, 5, 0, 16, False, 2, 42, 98)  # 3 and 7 patches
    case(tensors, "square", 0, False, Linear, 3, 0, 16, True, 2, 56, 56)  # the positions' own size
    case(tensors, "lora", 0, True, SegFormer, 5, 32, 16, False, 2, 53, 75)
    save_file(tensors, "golden_dinov2.safetensors", {"made by": "golden_dinov2.py", "torch": torch.__version__.split("+")[0]})
    print(len(tensors), "tensors")
