"""Reference values for MobileNetV2, EfficientNet-Lite0 and Lite R-ASPP: forward results and gradients from PyTorch.

Run once, by hand, in this directory; golden_inverted.safetensors beside it is the result, and neither the build nor the tests run this file:

    python golden_inverted.py   # as golden_resnet.py, and efficientnet-lite-pytorch 0.1.0

golden.py says what the file holds and how inputs are made. The encoders are the public ones at full width: torchvision's mobilenet_v2, and efficientnet-lite-pytorch's EfficientNet, whose convolutions compute TensorFlow's SAME from the size that they see (image_size=None).
Frozen batch norms are torchvision's FrozenBatchNorm2d in their place. The head is torchvision's LRASPPHead.
"""

import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.numpy import save_file
from torch import nn
from torchvision.models import mobilenet_v2
from torchvision.models.segmentation.lraspp import LRASPPHead
from torchvision.ops import FrozenBatchNorm2d

from golden import Projector, compact, draw, weight
from golden_resnet import buffer

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class MobileNet(nn.Module):
    widths, mean, std = (24, 32, 96, 1280), MEAN, STD

    def __init__(self):
        super().__init__()
        self.features = mobilenet_v2().features

    def forward(self, x):
        levels = []
        for i, f in enumerate(self.features):
            x = f(x)
            if i in (3, 6, 13, 18):
                levels.append(x)
        return levels


class Lite(nn.Module):
    widths, mean, std = (24, 40, 112, 1280), [127.0] * 3, [128.0] * 3

    def __init__(self):
        super().__init__()
        self.net = EfficientNet.from_name("efficientnet-lite0", image_size=None, drop_connect_rate=0.0)
        self.net._fc = None

    def forward(self, x):
        n, levels = self.net, []
        x = n._swish(n._bn0(n._conv_stem(x)))
        for i, b in enumerate(n._blocks):
            x = b(x)
            if i in (2, 4, 10):
                levels.append(x)
        return levels + [n._swish(n._bn1(n._conv_head(x)))]


class LRASPP(LRASPPHead):
    def forward(self, levels):
        return super().forward({"low": levels[1], "high": levels[3]})


def freeze(module):
    for name, m in module.named_children():
        if isinstance(m, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(m.num_features, m.eps))
        freeze(m)


def case(out, name, encoder, frozen, head_width, classes, feature_width, concat, n, h, w):
    torch.set_default_dtype(torch.float64)
    enc = encoder()
    if frozen:
        freeze(enc)
    widths = enc.widths
    decode = LRASPP(widths[1], widths[3], classes, head_width)
    modules = {"backbone": getattr(enc, "net", enc), "decode_head": decode, "projector": Projector(widths, feature_width, concat)}
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

    raw = torch.tensor(((draw("image", n * 3 * h * w) + 1) * 127.5).astype("float32").astype("float64")).reshape(n, 3, h, w)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (enc.mean, enc.std))
    levels = enc((raw - mean) / std)
    logits, features = decode(levels), modules["projector"](levels)
    loss = (logits * torch.tensor(draw("cotangent.logits", logits.numel())).reshape(logits.shape)).sum()
    loss = loss + (features * torch.tensor(draw("cotangent.features", features.numel())).reshape(features.shape)).sum()
    loss.backward()

    out[f"{name}.logits"] = logits.detach().contiguous().numpy().astype("float32")
    out[f"{name}.features"] = features.detach().contiguous().numpy().astype("float32")
    for i, l in enumerate(levels):
        out[f"{name}.level{i}"] = compact(f"level{i}", l)
    for k, x in stats.items():
        out[f"{name}.mean.{k}"] = compact(k, x.mean((0, 2, 3)))
        out[f"{name}.var.{k}"] = compact(k, x.var((0, 2, 3), unbiased=False))
    for k, p in params.items():
        out[f"{name}.grad.{k}"] = compact(k, p.grad)


if __name__ == "__main__":
    tensors = {}
    case(tensors, "mobilenet", MobileNet, False, 32, 11, 24, True, 2, 37, 43)
    case(tensors, "mobilenet_frozen", MobileNet, True, 16, 5, 16, False, 2, 53, 75)
    case(tensors, "lite", Lite, False, 16, 5, 16, True, 2, 37, 43)
    case(tensors, "lite_frozen", Lite, True, 48, 11, 16, False, 2, 53, 75)
    save_file(tensors, "golden_inverted.safetensors", {"made by": "golden_inverted.py", "torch": torch.__version__.split("+")[0]})
    print(len(tensors), "tensors")
