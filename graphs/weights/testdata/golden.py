"""Files of weights as PyTorch, ONNX and public model libraries write them.

Run once, by hand, in this directory; the files beside it are the result, and neither the build nor
the tests run this file:

    python golden.py        # Python 3, torch 2.15.0, torchvision 0.29.2, timm 1.0.31, efficientnet-lite-pytorch 0.1.0, transformers 5.24.0, onnx 1.23.2, safetensors 0.8.0

values.safetensors holds what the tensors of the other files are, as float32 and contiguous.
names.json holds names and shapes of public networks, as their own code makes them; facebookresearch/dinov2 (commit b8931f7) must be on PYTHONPATH.
"""

import argparse
import collections
import json

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn


def tensors():
    g = torch.Generator().manual_seed(1)
    base = torch.randn(6, 4, generator=g)
    return {
        "float32": base.clone(),
        "float64": torch.randn(3, generator=g, dtype=torch.float64),
        "float16": torch.randn(2, 5, generator=g).half(),
        "bfloat16": torch.randn(7, generator=g).bfloat16(),
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 3),
        "transposed": torch.randn(3, 5, generator=g).t(),
        "permuted": torch.randn(2, 3, 4, generator=g).permute(2, 0, 1),
        "channels_last": torch.randn(2, 3, 2, 2, generator=g).contiguous(memory_format=torch.channels_last),
        "row": base[2],  # the storage of "base", at an offset
        "column": base[:, 1],
        "base": base,
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
        "parameter": nn.Parameter(torch.randn(2, 2, generator=g)),
        "frozen": nn.Parameter(torch.randn(2, generator=g), requires_grad=False),
        "bn.num_batches_tracked": torch.tensor(3),
    }


def integers():
    return {
        "int64": torch.tensor([-3, 1 << 20]), "int32": torch.tensor([-3, 7], dtype=torch.int32),
        "int16": torch.tensor([-300, 7], dtype=torch.int16), "int8": torch.tensor([-3, 7], dtype=torch.int8),
        "uint8": torch.tensor([3, 255], dtype=torch.uint8), "bool": torch.tensor([True, False]),
    }


class Meta:
    """A class of no library, as checkpoints of training frameworks hold them."""

    def __init__(self):
        self.history = {"loss": [0.5, 0.25]}


def both(value, name):
    torch.save(value, f"{name}.pth")
    torch.save(value, f"{name}_legacy.pth", _use_new_zipfile_serialization=False)


def network():
    torch.manual_seed(2)
    return nn.Sequential(collections.OrderedDict(conv=nn.Conv2d(2, 3, 1), bn=nn.BatchNorm2d(3), out=nn.Sequential(nn.Linear(3, 2))))


def checkpoint():
    """As mmsegmentation and DAFormer write one: model, moving average, optimiser, whatever else."""
    model, ema = network(), network()
    with torch.no_grad():
        for p in ema.parameters():
            p.mul_(0.5)
    optimiser = torch.optim.AdamW(model.parameters())
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimiser.step()
    state = collections.OrderedDict()
    for prefix, m in (("model", model), ("ema_model", ema)):
        for k, v in m.state_dict().items():
            state[f"{prefix}.{k}"] = v
    return {
        "meta": {"config": "text", "iter": 40000, "time": argparse.Namespace(host="h", seed=1), "score": np.float64(0.5), "hub": Meta()},
        "state_dict": state, "optimizer": optimiser.state_dict(),
    }


def onnx_models():
    """Initialisers in every form that ONNX has for elements."""
    w = np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 1
    half = w.astype(np.float16)
    typed_half = TensorProto(name="typed16", data_type=TensorProto.FLOAT16, dims=[2, 3], int32_data=half.view(np.uint16).ravel().tolist())
    initialisers = [
        helper.make_tensor("raw", TensorProto.FLOAT, w.shape, w.tobytes(), raw=True),
        helper.make_tensor("typed", TensorProto.FLOAT, w.shape, w.ravel().tolist()),
        helper.make_tensor("double", TensorProto.DOUBLE, w.shape, w.ravel().tolist()),
        helper.make_tensor("raw16", TensorProto.FLOAT16, w.shape, half.tobytes(), raw=True), typed_half,
        helper.make_tensor("shape", TensorProto.INT64, [2], [2, -3]),
        helper.make_tensor("scalar", TensorProto.FLOAT, [], [7.0]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y], initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, "plain.onnx")
    outside = onnx.ModelProto()
    outside.CopyFrom(model)
    onnx.save(outside, "external.onnx", save_as_external_data=True, location="external.bin", size_threshold=0)
    return {"raw": w, "typed": w, "double": w, "raw16": w, "typed16": w, "scalar": np.float32(7)}


def names():
    """Names and shapes of public networks' state dictionaries; nothing has elements here."""
    import timm
    import torchvision
    from dinov2.hub import backbones
    from efficientnet_lite_pytorch import EfficientNet
    from safetensors import safe_open
    from transformers import Dinov2Config, Dinov2ForImageClassification, Dinov2WithRegistersConfig, Dinov2WithRegistersModel, SegformerConfig, SegformerForSemanticSegmentation

    out = {}
    vit = {"hidden_size": 384, "num_attention_heads": 6, "image_size": 518, "patch_size": 14}
    with torch.device("meta"):
        b0 = SegformerForSemanticSegmentation(SegformerConfig(num_labels=19))
        models = {
            "hf5/mit_b0": b0,
            "torchvision/resnet50": torchvision.models.resnet50(), "torchvision/resnet101": torchvision.models.resnet101(),
            "timm/resnet50": timm.create_model("resnet50c"), "timm/resnet101": timm.create_model("resnet101c"),
            "torchvision/mobilenet_v2": torchvision.models.mobilenet_v2(), "timm/mobilenetv2_100": timm.create_model("mobilenetv2_100"),
            "timm/tf_efficientnet_lite0": timm.create_model("tf_efficientnet_lite0"), "efficientnet-lite-pytorch/efficientnet-lite0": EfficientNet.from_name("efficientnet-lite0"),
            "dinov2/vits14_reg": backbones.dinov2_vits14_reg(pretrained=False), "timm/vits14": timm.create_model("vit_small_patch14_dinov2"),
            "hf5/vits14_reg": Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**vit)),
        }
    for k, m in models.items():
        out[k] = {n: list(v.shape) for n, v in m.state_dict().items()}
    files = {  # names of the files
        "hf/mit_b0": SegformerForSemanticSegmentation(SegformerConfig(num_labels=19)),
        "hf/vits14_reg": Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**vit)), "hf/vits14_classifier": Dinov2ForImageClassification(Dinov2Config(**vit)),
    }
    for k, m in files.items():
        m.save_pretrained("/tmp/names")
        with safe_open("/tmp/names/model.safetensors", "pt") as f:
            out[k] = {n: f.get_slice(n).get_shape() for n in f.keys()}
    with open("names.json", "w") as f:
        f.write("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in out.items()) + "\n}\n")


if __name__ == "__main__":
    t = tensors()
    both(collections.OrderedDict(t), "tensors")
    both(integers(), "integers")
    c = checkpoint()
    both(c, "checkpoint")
    torch.save(network(), "module.pth")  # not the old form: it holds the source text of its classes
    torch.jit.save(torch.jit.script(network()), "script.pt")
    save_file({k: v.detach().clone().contiguous() for k, v in t.items()}, "types.safetensors")
    save_file({"float32": t["float32"].clone()}, "shard-1.safetensors")
    torch.save({"transposed": t["transposed"], "unlisted": torch.ones(1)}, "shard-2.bin")
    with open("model.index.json", "w") as f:
        json.dump({"metadata": {}, "weight_map": {"float32": "shard-1.safetensors", "transposed": "shard-2.bin"}}, f)

    values = {f"tensors/{k}": v for k, v in t.items()} | {f"integers/{k}": v for k, v in integers().items()}
    values |= {f"checkpoint/state_dict.{k}": v for k, v in c["state_dict"].items()}
    values |= {f"module/{k}": v for k, v in network().state_dict().items()}
    values |= {f"onnx/{k}": torch.tensor(v) for k, v in onnx_models().items()}
    save_file({k: v.detach().float().contiguous().clone() for k, v in values.items()}, "values.safetensors", {"torch": torch.__version__})
    names()
