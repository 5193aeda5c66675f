"""Counts the pixels of every class in a picture (PPM, or what Pillow reads).

    pip install onnxruntime numpy
    python segment.py M.onnx picture.ppm

M.onnx: t2sda export --dynamic --output labels (input uint8-nhwc).
"""
import sys

import numpy as np
import onnxruntime


def read(path):
    """Returns a picture as RGB, [h,w,3]."""
    if not path.endswith(".ppm"):
        from PIL import Image

        return np.array(Image.open(path).convert("RGB"))
    with open(path, "rb") as f:
        data = f.read()
    kind, w, h = data.split(maxsplit=3)[:3]
    w, h = int(w), int(h)
    assert kind == b"P6", "a binary PPM picture is wanted"
    return np.frombuffer(data[-3 * w * h:], np.uint8).reshape(h, w, 3)


session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
labels, = session.run(["labels"], {"image": read(sys.argv[2])[None]})
for id, count in zip(*np.unique(labels, return_counts=True)):
    print(id, count)
