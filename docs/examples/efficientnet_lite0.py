"""Name photographs with the classifier in the file that `t2sda weights fetch efficientnet_lite0` gives.

python efficientnet_lite0.py efficientnet-lite0-57934424.pth IMAGE…

Needs torch, torchvision (for the names of ImageNet's classes) and pillow.
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.models._meta import _IMAGENET_CATEGORIES as NAMES

w = torch.load(sys.argv[1], map_location="cpu")


def conv(x, name, stride=1, groups=1):
    """A convolution with TensorFlow's padding SAME."""
    k = w[name].shape[-1]
    pad = []
    for size in (x.shape[3], x.shape[2]):
        missing = max((-(-size // stride) - 1) * stride + k - size, 0)
        pad += [missing // 2, missing - missing // 2]
    return F.conv2d(F.pad(x, pad), w[name], stride=stride, groups=groups)


def norm(x, name):
    return F.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"], w[name + ".bias"], eps=1e-3)


def net(x):
    x = F.relu6(norm(conv(x, "_conv_stem.weight", 2), "_bn0"))
    strides = [s for n, first in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)) for s in [first] + [1] * (n - 1)]
    for i, stride in enumerate(strides):
        b, y = f"_blocks.{i}.", x
        if b + "_expand_conv.weight" in w:
            y = F.relu6(norm(conv(y, b + "_expand_conv.weight"), b + "_bn0"))
        y = F.relu6(norm(conv(y, b + "_depthwise_conv.weight", stride, y.shape[1]), b + "_bn1"))
        y = norm(conv(y, b + "_project_conv.weight"), b + "_bn2")
        x = x + y if stride == 1 and x.shape == y.shape else y
    x = F.relu6(norm(conv(x, "_conv_head.weight"), "_bn1")).mean((2, 3))
    return F.linear(x, w["_fc.weight"], w["_fc.bias"])


for path in sys.argv[2:]:
    image = Image.open(path).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.BICUBIC)
    x = (torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy()) - 127) / 128
    with torch.no_grad():
        p = net(x[None]).softmax(1)[0]
    print(path, ", ".join(f"{NAMES[i]} {v:.2f}" for v, i in zip(*p.topk(4))))
