"""Reference values for ResNets and DeepLabV2's head: forward results and gradients from PyTorch.

Run once, by hand, in this directory; golden_resnet.safetensors beside it is the result, and neither the build nor the tests run this file:

    python golden_resnet.py   # as golden.py, and torchvision 0.29.2

golden.py says what the file holds and how inputs are made. The encoders are torchvision's: its Bottleneck and its ResNet._make_layer with replace_stride_with_dilation, at widths and depths that keep the file small.
The deep stem, the frozen batch norm (torchvision's FrozenBatchNorm2d) and DLV2Head (a sum of biased dilated convolutions) are put in their place under the names that mmsegmentation and DAFormer's code give them.
"""

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import FrozenBatchNorm2d

from golden import Projector, compact, draw, weight

WIDTH, DEPTHS = 8, (1, 2, 2, 2)


class Reduced(ResNet):
    """torchvision's resnet50 with replace_stride_with_dilation=[False, True, True], narrower and shallower."""

    def __init__(self, deep, norm):
        nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = norm, WIDTH, 1, 1, 64
        self.deep = deep
        if deep:  # mmsegmentation's ResNetV1c
            widths = [3, WIDTH // 2, WIDTH // 2, WIDTH]
            self.stem = nn.Sequential(*[m for i in range(3) for m in (
                nn.Conv2d(widths[i], widths[i + 1], 3, stride=2 if i == 0 else 1, padding=1, bias=False), norm(widths[i + 1]), nn.ReLU())])
        else:
            self.conv1 = nn.Conv2d(3, WIDTH, 7, stride=2, padding=3, bias=False)
            self.bn1 = norm(WIDTH)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i, dilate in enumerate((False, False, True, True)):
            setattr(self, f"layer{i + 1}", self._make_layer(Bottleneck, WIDTH << i, DEPTHS[i], stride=1 if i == 0 else 2, dilate=dilate))

    def forward(self, x):
        x = self.stem(x) if self.deep else self.relu(self.bn1(self.conv1(x)))
        levels = [self.layer1(self.maxpool(x))]
        for layer in (self.layer2, self.layer3, self.layer4):
            levels.append(layer(levels[-1]))
        return levels


class DLV2Head(nn.Module):
    def __init__(self, channels, classes, dilations):
        super().__init__()
        self.aspp_modules = nn.ModuleList([nn.ModuleDict({"conv": nn.Conv2d(channels, classes, 3, padding=d, dilation=d)}) for d in dilations])

    def forward(self, levels):
        return sum(m["conv"](levels[-1]) for m in self.aspp_modules)


def buffer(name, shape):
    """A buffer of a frozen batch norm: variances and scales near 1, means and shifts small."""
    u = draw(name, int(np.prod(shape)))
    u = 1 + 0.3 * u if name.endswith((".weight", ".running_var")) else 0.2 * u
    return torch.tensor(u.astype(np.float32).astype(np.float64)).reshape(shape)


def case(out, name, deep, frozen, dilations, classes, feature_width, concat, n, h, w):
    torch.set_default_dtype(torch.float64)
    enc = Reduced(deep, FrozenBatchNorm2d if frozen else nn.BatchNorm2d)
    widths = [4 * WIDTH << i for i in range(4)]
    modules = {"backbone": enc, "decode_head": DLV2Head(widths[-1], classes, dilations), "projector": Projector(widths, feature_width, concat)}
    params, stats = {}, {}
    for prefix, m in modules.items():
        m.train()
        for k, p in m.named_parameters():
            params[f"{prefix}.{k}"] = p
            p.data.copy_(weight(f"{prefix}.{k}", p.shape))
        for k, b in m.named_modules():
            if isinstance(b, nn.BatchNorm2d):
                b.register_forward_pre_hook(lambda _, x, k=f"{prefix}.{k}": stats.update({k: x[0]}))
            if isinstance(b, FrozenBatchNorm2d):
                for key, v in b.named_buffers():
                    v.copy_(buffer(f"{prefix}.{k}.{key}", v.shape))

    raw = torch.tensor(((draw("image", n * 3 * h * w) + 1) * 127.5).astype(np.float32).astype(np.float64)).reshape(n, 3, h, w)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    levels = enc((raw - mean) / std)
    logits, features = modules["decode_head"](levels), modules["projector"](levels)
    loss = (logits * torch.tensor(draw("cotangent.logits", logits.numel())).reshape(logits.shape)).sum()
    loss = loss + (features * torch.tensor(draw("cotangent.features", features.numel())).reshape(features.shape)).sum()
    loss.backward()

    out[f"{name}.logits"] = logits.detach().contiguous().numpy().astype(np.float32)
    out[f"{name}.features"] = features.detach().contiguous().numpy().astype(np.float32)
    for i, l in enumerate(levels):
        out[f"{name}.level{i}"] = compact(f"level{i}", l)
    for k, x in stats.items():
        out[f"{name}.mean.{k}"] = compact(k, x.mean((0, 2, 3)))
        out[f"{name}.var.{k}"] = compact(k, x.var((0, 2, 3), unbiased=False))
    for k, p in params.items():
        out[f"{name}.grad.{k}"] = compact(k, p.grad)


if __name__ == "__main__":
    tensors = {}
    case(tensors, "plain", False, False, (6, 12), 19, 24, False, 2, 64, 96)
    case(tensors, "deep", True, False, (6, 12, 18, 24), 5, 16, True, 2, 53, 75)
    case(tensors, "frozen", True, True, (6, 12), 5, 16, False, 2, 53, 75)
    save_file(tensors, "golden_resnet.safetensors", {"made by": "golden_resnet.py", "torch": torch.__version__.split("+")[0]})
    print(len(tensors), "tensors")
