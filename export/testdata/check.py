"""Puts every model of a folder through the full check of the package onnx."""
import pathlib
import sys

import onnx

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    for declared, found in zip(model.graph.output, inferred.graph.output):
        assert declared.type == found.type, f"{path.name}: {declared} is {found}"
    names = [n.name for n in model.graph.node]
    assert len(set(names)) == len(names) and all(names), f"{path.name}: nodes without a name of their own"
    domains = {n.domain for n in model.graph.node} | {o.domain for o in model.opset_import}
    assert domains == {""}, f"{path.name}: domains {domains}"
    norms = [n.op_type for n in model.graph.node if n.op_type == "BatchNormalization"]
    assert not norms, f"{path.name}: batch norms that are not folded"
    known = {i.name for i in model.graph.initializer}
    for n in model.graph.node:
        assert not n.input or not set(filter(None, n.input)) <= known, f"{path.name}: {n.name} depends on constants only"
    print(path.name, model.opset_import[0].version, len(model.graph.node), "nodes")
