"""A SegFormer in plain PyTorch that loads what `t2sda weights export --names ours` wrote, and its logits
beside those of the ONNX model that `t2sda` exported from the same run.

    t2sda weights export --run RUN --out student.safetensors
    python segformer_torch.py student.safetensors RUN/model.onnx IMAGE     # torch, safetensors, onnxruntime, pillow, numpy

Widths and depths are read off the tensors; heads and reductions are those of mit_nano.
"""

import sys

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn

HEADS, RATIOS, MLP = (1, 2, 4, 8), (8, 4, 2, 1), (4, 4, 4, 2)  # public models: heads 1, 2, 5, 8 and MLP ratio 4


class Embed(nn.Module):
    def __init__(self, i, o, kernel, stride):
        super().__init__()
        self.proj, self.norm = nn.Conv2d(i, o, kernel, stride, kernel // 2), nn.LayerNorm(o)

    def forward(self, x):
        x = self.proj(x)
        return self.norm(x.flatten(2).transpose(1, 2)), x.shape[2:]


class Attention(nn.Module):
    def __init__(self, c, heads, ratio):
        super().__init__()
        self.heads, self.q, self.kv, self.proj = heads, nn.Linear(c, c), nn.Linear(c, 2 * c), nn.Linear(c, c)
        if ratio > 1:
            self.sr, self.norm = nn.Conv2d(c, c, ratio, ratio), nn.LayerNorm(c)

    def forward(self, x, size):
        n, l, c = x.shape
        y = x
        if hasattr(self, "sr"):
            y = self.norm(self.sr(x.transpose(1, 2).reshape(n, c, *size)).flatten(2).transpose(1, 2))
        q, k, v = (t.reshape(n, -1, self.heads, c // self.heads).transpose(1, 2) for t in (self.q(x), *self.kv(y).chunk(2, -1)))
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, l, c))


class MLP_(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.fc1, self.fc2, self.dwconv = nn.Linear(c, hidden), nn.Linear(hidden, c), nn.Module()
        self.dwconv.dwconv = nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden)

    def forward(self, x, size):
        x = self.fc1(x)
        n, l, c = x.shape
        return self.fc2(F.gelu(self.dwconv.dwconv(x.transpose(1, 2).reshape(n, c, *size)).flatten(2).transpose(1, 2)))


class Block(nn.Module):
    def __init__(self, c, heads, ratio, mlp):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(c, 1e-6), Attention(c, heads, ratio)
        self.norm2, self.mlp = nn.LayerNorm(c, 1e-6), MLP_(c, mlp * c)

    def forward(self, x, size):
        x = x + self.attn(self.norm1(x), size)
        return x + self.mlp(self.norm2(x), size)


class MiT(nn.Module):
    def __init__(self, widths, depths):
        super().__init__()
        for s, (i, c) in enumerate(zip((3, *widths), widths)):
            self.add_module(f"patch_embed{s + 1}", Embed(i, c, 3 if s else 7, 2 if s else 4))
            self.add_module(f"block{s + 1}", nn.ModuleList(Block(c, HEADS[s], RATIOS[s], MLP[s]) for _ in range(depths[s])))
            self.add_module(f"norm{s + 1}", nn.LayerNorm(c, 1e-6))

    def forward(self, x):
        levels = []
        for s in "1234":
            t, size = getattr(self, "patch_embed" + s)(x)
            for block in getattr(self, "block" + s):
                t = block(t, size)
            x = getattr(self, "norm" + s)(t).transpose(1, 2).reshape(x.shape[0], -1, *size)
            levels.append(x)
        return levels


class Head(nn.Module):
    def __init__(self, widths, d, classes):
        super().__init__()
        for i, c in enumerate(widths):
            level = nn.Module()
            level.proj = nn.Linear(c, d)
            self.add_module(f"linear_c{i + 1}", level)
        self.linear_fuse = nn.Module()
        self.linear_fuse.conv, self.linear_fuse.bn = nn.Conv2d(4 * d, d, 1, bias=False), nn.BatchNorm2d(d)
        self.linear_pred = nn.Conv2d(d, classes, 1)

    def forward(self, levels):
        x = [getattr(self, f"linear_c{i}").proj(levels[i - 1].movedim(1, 3)).movedim(3, 1) for i in (4, 3, 2, 1)]
        x = torch.cat([F.interpolate(y, levels[0].shape[2:], mode="bilinear") for y in x], 1)
        return self.linear_pred(F.relu(self.linear_fuse.bn(self.linear_fuse.conv(x))))


def build(state):
    widths = [state[f"backbone.patch_embed{s}.proj.weight"].shape[0] for s in (1, 2, 3, 4)]
    depths = [len({k.split(".")[2] for k in state if k.startswith(f"backbone.block{s}.")}) for s in (1, 2, 3, 4)]
    classes, d = state["decode_head.linear_pred.weight"].shape[:2]
    model = nn.Module()
    model.backbone, model.decode_head = MiT(widths, depths), Head(widths, d, classes)
    return model.eval()


if __name__ == "__main__":
    weights, onnx, image = sys.argv[1:]
    state = load_file(weights)
    model = build(state)
    result = model.load_state_dict({k: v for k, v in state.items() if not k.startswith("projector.")})  # strict
    print(f"{len(state)} tensors in the file; load_state_dict: {result}")

    session = onnxruntime.InferenceSession(onnx)
    _, _, h, w = session.get_inputs()[0].shape
    x = np.asarray(Image.open(image).convert("RGB").resize((w, h))).astype(np.float32).transpose(2, 0, 1)[None].copy()
    ours = session.run(None, {session.get_inputs()[0].name: x})[0]
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    with torch.no_grad():
        theirs = model.decode_head(model.backbone((torch.from_numpy(x) - mean) / std))
        theirs = F.interpolate(theirs, ours.shape[2:], mode="bilinear").numpy()
    print(f"logits {ours.shape}, from {ours.min():.2f} to {ours.max():.2f}")
    print(f"largest difference {np.abs(ours - theirs).max():.1e}; same class at {(ours.argmax(1) == theirs.argmax(1)).mean():.2%} of the pixels")
