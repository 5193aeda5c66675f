"""The student's supervised term in PyTorch, eager, as a peer to be timed against ours.

Started by `t2sda bench` and by BenchmarkPeer with a Python that T2SDA_PEER_PYTHON names (torch, transformers for MiT); nothing else runs it.
The only argument is the network as JSON. The first line of output says what runs: {"torch", "device", "precisions"}. Then each line of input names a precision, and is answered
by a line {"seconds", "peak_mib"}: zeroing the gradients, forward pass to the weighted cross-entropy at the images' size, backward pass to all gradients; as ours, without the optimiser.
The encoder MiT is transformers' SegformerModel; ResNet (deep stem, dilated to stride 8) and the heads are written here from the papers' description.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv_bn(i, o, k=1, **kw):
    return nn.Sequential(nn.Conv2d(i, o, k, bias=False, **kw), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


def resize(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class MiT(nn.Module):
    def __init__(self, name, drop_path):
        super().__init__()
        from transformers import SegformerConfig, SegformerModel

        depths = {"mit_b0": [2, 2, 2, 2], "mit_b1": [2, 2, 2, 2], "mit_b2": [3, 4, 6, 3], "mit_b3": [3, 4, 18, 3], "mit_b4": [3, 8, 27, 3], "mit_b5": [3, 6, 40, 3]}[name]
        self.widths = [32, 64, 160, 256] if name == "mit_b0" else [64, 128, 320, 512]
        self.model = SegformerModel(SegformerConfig(hidden_sizes=self.widths, depths=depths, num_attention_heads=[1, 2, 5, 8], sr_ratios=[8, 4, 2, 1], mlp_ratios=[4] * 4,
                                                    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, drop_path_rate=drop_path, attn_implementation="sdpa"))

    def forward(self, x):
        return self.model(x, output_hidden_states=True).hidden_states


class Bottleneck(nn.Module):
    def __init__(self, i, width, stride, dilation, project):
        super().__init__()
        self.body = nn.Sequential(conv_bn(i, width), conv_bn(width, width, 3, stride=stride, padding=dilation, dilation=dilation),
                                  nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width))
        self.skip = nn.Sequential(nn.Conv2d(i, 4 * width, 1, stride=stride, bias=False), nn.BatchNorm2d(4 * width)) if project else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x), inplace=True)


class ResNet(nn.Module):
    def __init__(self, name):
        super().__init__()
        depths = {"resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3]}[name]
        self.widths = [256, 512, 1024, 2048]
        self.stem = nn.Sequential(conv_bn(3, 32, 3, stride=2, padding=1), conv_bn(32, 32, 3, padding=1), conv_bn(32, 64, 3, padding=1), nn.MaxPool2d(3, 2, 1))
        self.stages, i = nn.ModuleList(), 64
        for k, (depth, stride, dilation) in enumerate(zip(depths, (1, 2, 1, 1), (1, 1, 2, 4))):
            blocks = []
            for b in range(depth):
                blocks.append(Bottleneck(i, 64 << k, stride if b == 0 else 1, dilation, b == 0))
                i = 256 << k
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x):
        levels, x = [], self.stem(x)
        for s in self.stages:
            x = s(x)
            levels.append(x)
        return levels


class Embed(nn.Module):
    """Linear layers on all levels, brought to the first one's size."""

    def __init__(self, widths, d):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(w, d) for w in widths])

    def forward(self, levels):
        maps = [l(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for l, x in zip(self.layers, levels)]
        return torch.cat([resize(m, levels[0].shape[2:]) for m in maps], 1)


class SegFormer(nn.Module):
    def __init__(self, widths, d, classes, dropout, _):
        super().__init__()
        self.body = nn.Sequential(Embed(widths, d), conv_bn(4 * d, d), nn.Dropout2d(dropout), nn.Conv2d(d, classes, 1))

    def forward(self, levels):
        return self.body(levels)


class DAFormer(nn.Module):
    """DAFormer, section 3.2: depthwise separable ASPP of rates 1, 6, 12, 18 on the fused levels."""

    def __init__(self, widths, d, classes, dropout, _):
        super().__init__()
        separable = [nn.Sequential(conv_bn(4 * d, 4 * d, 3, padding=r, dilation=r, groups=4 * d), conv_bn(4 * d, d)) for r in (6, 12, 18)]
        self.embed, self.aspp = Embed(widths, d), nn.ModuleList([conv_bn(4 * d, d), *separable])
        self.out = nn.Sequential(conv_bn(4 * d, d, 3, padding=1), nn.Dropout2d(dropout), nn.Conv2d(d, classes, 1))

    def forward(self, levels):
        x = self.embed(levels)
        return self.out(torch.cat([m(x) for m in self.aspp], 1))


class DeepLabV2(nn.Module):
    def __init__(self, widths, _, classes, __, dilations):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(widths[-1], classes, 3, padding=r, dilation=r) for r in dilations])

    def forward(self, levels):
        return sum(c(levels[-1]) for c in self.convs)


def main():
    spec = json.loads(sys.argv[1])
    if spec["threads"] > 0:
        torch.set_num_threads(spec["threads"])
    device = torch.device(spec["device"])
    torch.manual_seed(1)
    encoder = MiT(spec["encoder"], spec["drop_path"]) if spec["encoder"].startswith("mit_") else ResNet(spec["encoder"])
    head = {"segformer": SegFormer, "daformer": DAFormer, "deeplabv2": DeepLabV2}[spec["head"]](encoder.widths, spec["head_width"], spec["classes"], spec["dropout"], spec["dilations"])
    net = nn.ModuleList([encoder, head]).to(device).train()
    n, h, w = spec["batch"], spec["height"], spec["width"]
    image = torch.randn(n, 3, h, w, device=device)
    labels = torch.randint(spec["classes"], (n, h, w), device=device)
    weights = torch.full((n, h, w), 1 / (n * h * w), device=device)

    def term(precision):
        net.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = resize(head(encoder(image)), (h, w))
        ((F.cross_entropy(logits.float(), labels, reduction="none")) * weights).sum().backward()

    cuda = device.type == "cuda"
    precisions = ["fp32", "tf32", "bf16"] if cuda else ["fp32"]
    print(json.dumps({"torch": torch.__version__, "device": torch.cuda.get_device_name(device) if cuda else "cpu", "precisions": precisions}), flush=True)
    for line in sys.stdin:
        precision = line.strip()
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "fp32"
        if cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        term(precision)
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else 0}), flush=True)


main()
