"""Reference values for the networks: forward results and gradients from PyTorch.

Run once, by hand, in this directory; golden.safetensors beside it is the result, and neither the build nor the tests run this file:

    python golden.py        # Python 3, torch 2.15.0, transformers 5.23.0, numpy 2.4.6, safetensors; CPU, float64

The encoder is transformers' SegformerModel (random local model, nothing is downloaded) with the layer norms' epsilons set to the original code's, attention by sdpa because the eager one rounds to float32; heads and projector are written here in plain torch
from the papers' description: concatenations, resizing, torch.nn.BatchNorm2d in training mode. Weights, inputs, cotangents and projection vectors all come from one counter-based generator, `draw`,
which nets/golden_test.go repeats; so the file holds results only:

    CASE.logits, CASE.features      forward values
    CASE.level0 … CASE.level3       16 random projections of each level, in units of its norm, and the norm
    CASE.mean.NAME, CASE.var.NAME   batch statistics (biased variance) of every batch norm: 16 projections and the norm
    CASE.grad.NAME                  the same of every parameter's gradient of sum(logits·c) + sum(features·d)

A projection of the gradient g is Σ_i g_i r_i with r uniform of variance 1: an error e of g shows as |r·e| ~ ‖e‖ in each of the 16.
"""

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn
from transformers import SegformerConfig, SegformerModel

PROJECTIONS = 16
M64 = (1 << 64) - 1


def draw(name, n):
    """n numbers in [-1, 1): FNV-1a of the name, then SplitMix64 counted from it; the upper 24 bits."""
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & M64
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1


def weight(name, shape):
    """A parameter that keeps activations of order 1: scales near 1, shifts and biases small, weights of variance 1/fan_in. Rounded to float32."""
    n = int(np.prod(shape))
    u = draw(name, n)
    if len(shape) == 1:
        norm = name.endswith(".weight")
        u = 1 + 0.3 * u if norm else 0.2 * u
    else:
        u = u * np.sqrt(3 * shape[0] / n)
    return torch.tensor(u.astype(np.float32).astype(np.float64)).reshape(shape)


class ConvBN(nn.Module):
    def __init__(self, i, o, **kw):
        super().__init__()
        self.conv = nn.Conv2d(i, o, bias=False, **kw)
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Linear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.proj = nn.Linear(i, o)

    def forward(self, x):
        return self.proj(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def resize(x, like):
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class Separable(nn.Module):
    def __init__(self, i, o, dilation):
        super().__init__()
        self.depthwise_conv = ConvBN(i, i, kernel_size=3, padding=dilation, dilation=dilation, groups=i)
        self.pointwise_conv = ConvBN(i, o, kernel_size=1)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


class Fuse(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.aspp_modules = nn.ModuleList([ConvBN(4 * d, d, kernel_size=1)] + [Separable(4 * d, d, r) for r in (6, 12, 18)])
        self.bottleneck = ConvBN(4 * d, d, kernel_size=3, padding=1)

    def forward(self, x):
        return self.bottleneck(torch.cat([m(x) for m in self.aspp_modules], 1))


class DAFormer(nn.Module):
    def __init__(self, widths, d, classes):
        super().__init__()
        self.embed_layers = nn.ModuleList([Linear(c, d) for c in widths])
        self.fuse_layer = Fuse(d)
        self.conv_seg = nn.Conv2d(d, classes, 1)

    def forward(self, levels):
        x = torch.cat([resize(e(x), levels[0]) for e, x in zip(self.embed_layers, levels)], 1)
        return self.conv_seg(self.fuse_layer(x))


class SegFormer(nn.Module):
    def __init__(self, widths, d, classes):
        super().__init__()
        for i, c in enumerate(widths):
            setattr(self, f"linear_c{i + 1}", Linear(c, d))
        self.linear_fuse = ConvBN(4 * d, d, kernel_size=1)
        self.linear_pred = nn.Conv2d(d, classes, 1)

    def forward(self, levels):
        x = [resize(getattr(self, f"linear_c{i + 1}")(levels[i]), levels[0]) for i in (3, 2, 1, 0)]
        return self.linear_pred(self.linear_fuse(torch.cat(x, 1)))


class Projector(nn.Module):
    def __init__(self, widths, d, concat):
        super().__init__()
        self.concat = concat
        self.add_module("0", ConvBN(sum(widths) if concat else widths[3], d, kernel_size=1))
        self.add_module("1", ConvBN(d, d, kernel_size=1))

    def forward(self, levels):
        x = torch.cat([resize(l, levels[0]) for l in levels], 1) if self.concat else levels[3]
        x = self._modules["1"](self._modules["0"](x))
        return F.normalize(x, dim=1, eps=1e-6)


def encoder():
    model = SegformerModel(SegformerConfig(
        hidden_sizes=[32, 64, 160, 256], depths=[2, 2, 2, 2], num_attention_heads=[1, 2, 5, 8], sr_ratios=[8, 4, 2, 1], mlp_ratios=[4, 4, 4, 4],
        hidden_act="gelu", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, drop_path_rate=0.0, attn_implementation="sdpa"))
    for name, m in model.named_modules():
        if isinstance(m, nn.LayerNorm):
            embedding = "patch_embeddings" in name or "sequence_reduction" in name
            m.eps = 1e-5 if embedding else 1e-6
    return model


def original(name):
    """The original code's name of one of SegformerModel's parameters; queries, keys and values apart."""
    _, stage, rest = name.split(".", 2)
    stage = int(stage) + 1
    for old, new in (("attention.sequence_reduction.sequence_reduction", "attn.sr"), ("attention.sequence_reduction.layer_norm", "attn.norm"), ("attention.o_proj", "attn.proj"),
                     ("attention.q_proj", "attn.q"), ("attention.k_proj", "attn.k"), ("attention.v_proj", "attn.v"), ("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
                     ("patch_embeddings.layer_norm", f"patch_embed{stage}.norm"), ("patch_embeddings", f"patch_embed{stage}"), ("layer_norm", f"norm{stage}"), ("blocks", f"block{stage}")):
        rest = rest.replace(old, new)
    return f"backbone.{rest}"


def prepare(modules):
    """Fills all parameters; returns [(our name, parameters that it is the concatenation of)]."""
    params = {}
    for prefix, m in modules.items():
        for name, p in m.named_parameters():
            ours = original(name) if prefix == "backbone" else f"{prefix}.{name}"
            params.setdefault(ours.replace("attn.k.", "attn.kv.").replace("attn.v.", "attn.kv."), {})[ours] = p
    out = []
    for name, parts in params.items():
        parts = [parts[k] for k in sorted(parts)]  # k before v
        shape = (sum(p.shape[0] for p in parts), *parts[0].shape[1:])
        for p, w in zip(parts, weight(name, shape).split([p.shape[0] for p in parts]), strict=True):
            p.data.copy_(w)
        out.append((name, parts))
    return out


def compact(name, g):
    g = g.detach().numpy().ravel()
    norm = np.linalg.norm(g)
    r = draw(f"projection.{name}", PROJECTIONS * g.size).reshape(PROJECTIONS, -1) * np.sqrt(3)
    return np.concatenate([[norm], r @ g]).astype(np.float32)


def case(out, name, head, classes, width, feature_width, concat, n, h, w):
    torch.set_default_dtype(torch.float64)
    widths = [32, 64, 160, 256]
    enc, dec, proj = encoder().double(), head(widths, width, classes), Projector(widths, feature_width, concat)
    params = prepare({"backbone": enc, "decode_head": dec, "projector": proj})
    stats = {}
    for prefix, m in (("decode_head", dec), ("projector", proj)):
        for k, b in m.named_modules():
            if isinstance(b, nn.BatchNorm2d):
                b.register_forward_pre_hook(lambda _, x, k=f"{prefix}.{k}": stats.update({k: x[0]}))
    for m in (enc, dec, proj):
        m.train()

    raw = torch.tensor(((draw("image", n * 3 * h * w) + 1) * 127.5).astype(np.float32).astype(np.float64)).reshape(n, 3, h, w)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    levels = enc((raw - mean) / std, output_hidden_states=True).hidden_states[-4:]
    assert [l.shape[1] for l in levels] == widths
    logits, features = dec(levels), proj(levels)
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
    for k, parts in params:
        out[f"{name}.grad.{k}"] = compact(k, torch.cat([p.grad for p in parts]))


if __name__ == "__main__":
    tensors = {}
    case(tensors, "daformer", DAFormer, 19, 64, 32, True, 2, 64, 96)
    case(tensors, "segformer", SegFormer, 11, 48, 24, True, 2, 53, 75)  # no multiples of 32: reductions drop rows and columns
    case(tensors, "last", SegFormer, 3, 32, 16, False, 3, 37, 64)
    save_file(tensors, "golden.safetensors", {"made by": "golden.py", "torch": torch.__version__.split("+")[0]})
    print(len(tensors), "tensors")
