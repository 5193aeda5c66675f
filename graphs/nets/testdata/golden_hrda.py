"""Reference values for HRDA: its fusion, its loss with gradients, its windows and its scale attention, from PyTorch.

Run once, by hand, in this directory; golden_hrda.safetensors beside it is the result, and neither the build nor the tests run this file:

    python golden_hrda.py   # as golden.py

Inputs are golden.py's draws, in float64. The computations follow the equations of HRDA (Hoyer et al., ECCV 2022, section "Multi-Resolution Fusion") and, for windows, what its section on pseudo-labels says, in the way that torch writes them: details are assigned to a slice, windows are padded and divided by their count.
"""

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

from golden import ConvBN, Linear, draw, resize, weight

N, C = 2, 3
CROP, DETAIL = (32, 48), (16, 24)  # px, height and width
STRIDE = 4
BOX = (8, 16)  # px, of the detail's first row and column
LAMBDA = 0.1


def up(x, factor=2):
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def tensor(name, *shape):
    return torch.tensor(np.asarray(draw(name, int(np.prod(shape)))).reshape(shape), dtype=torch.float64)


def fusion(out):
    h, w = CROP[0] // (2 * STRIDE), CROP[1] // (2 * STRIDE)
    context, attention = (tensor(f"hrda.{k}", N, C, h, w).requires_grad_() for k in ("context", "attention"))
    detail = tensor("hrda.detail", N, C, DETAIL[0] // STRIDE, DETAIL[1] // STRIDE).requires_grad_()

    def box(stride):
        y, x = (b // stride for b in BOX)
        return (slice(None), slice(None), slice(y, y + DETAIL[0] // stride), slice(x, x + DETAIL[1] // stride))

    inside = torch.zeros(N, 1, h, w, dtype=torch.float64)
    inside[box(2 * STRIDE)] = 1
    a = torch.sigmoid(attention) * inside
    placed = torch.zeros(N, C, 2 * h, 2 * w, dtype=torch.float64)
    placed[box(STRIDE)] = detail
    fused = up((1 - a) * context) + up(a) * placed

    labels = (3 * (tensor("hrda.labels", N, *CROP) + 1) / 2).floor().long()  # draws are below 1
    weights = (tensor("hrda.weights", N, *CROP) + 1) / 2
    rows, columns = box(1)[2:]
    mean = lambda logits, labels, weights: (weights * F.cross_entropy(up(logits, STRIDE), labels, reduction="none")).mean()
    loss = (1 - LAMBDA) * mean(fused, labels, weights) + LAMBDA * mean(detail, labels[:, rows, columns], weights[:, rows, columns])
    loss.backward()
    out["fused"], out["loss"] = fused, loss.reshape(1)
    for name, x in {"context": context, "detail": detail, "attention": attention}.items():
        out["grad." + name] = x.grad


def windows(out, size):
    """The public order: rows, then columns, then images."""
    starts = [[min(i * (d // 2), n - d) for i in range((max(n - d, 0) + d // 2 - 1) // (d // 2) + 1)] for n, d in zip(size, DETAIL)]
    k, l = DETAIL[0] // STRIDE, DETAIL[1] // STRIDE
    name = f"windows.{size[0]}x{size[1]}"
    logits = tensor("hrda." + name, len(starts[0]) * len(starts[1]) * N, C, k, l)
    total, count = torch.zeros(N, C, size[0] // STRIDE, size[1] // STRIDE, dtype=torch.float64), torch.zeros(size[0] // STRIDE, size[1] // STRIDE)
    i = 0
    for y in (s // STRIDE for s in starts[0]):
        for x in (s // STRIDE for s in starts[1]):
            total += F.pad(logits[i : i + N], (x, total.shape[3] - x - l, y, total.shape[2] - y - k))
            count[y : y + k, x : x + l] += 1
            i += N
    out[name] = total / count
    out[name + ".rows"], out[name + ".columns"] = (torch.tensor(s, dtype=torch.float64) for s in starts)


class Attention(nn.Module):
    """DAFormer's head with a 1×1 fusion (public configuration daformer_conv1), and a sigmoid."""

    def __init__(self, widths, width):
        super().__init__()
        self.embed_layers = nn.ModuleList(Linear(w, width) for w in widths)
        self.fuse_layer = ConvBN(width * len(widths), width, kernel_size=1)
        self.conv_seg = nn.Conv2d(width, C, 1)

    def forward(self, levels):
        x = [resize(embed(l), levels[0]) for embed, l in zip(self.embed_layers, levels)]
        return torch.sigmoid(self.conv_seg(self.fuse_layer(torch.cat(x, 1))))


def attention(out):
    widths = (4, 4, 6, 8)
    net = Attention(widths, 5).double().train()
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(weight("scale_attention." + name, p.shape))
    levels = [tensor(f"hrda.level{i}", N, c, 8 >> i, 16 >> i) for i, c in enumerate(widths)]
    out["attention"] = net(levels)


if __name__ == "__main__":
    tensors = {}
    fusion(tensors)
    windows(tensors, (32, 48))
    windows(tensors, (40, 56))  # the last windows are moved back
    windows(tensors, (16, 24))  # one window
    attention(tensors)
    arrays = {k: v.detach().contiguous().numpy().astype("float32") for k, v in tensors.items()}
    save_file(arrays, "golden_hrda.safetensors", {"made by": "golden_hrda.py", "torch": torch.__version__.split("+")[0]})
    print(len(arrays), "tensors")
