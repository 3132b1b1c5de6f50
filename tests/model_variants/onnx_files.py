"""Small ONNX models, written as exporters write them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save_model
from torch import nn

Shape = Sequence[int | str | None] | None
OPSETS = [helper.make_opsetid("", 17)]


def linear(
    path: Path,
    network: nn.Linear,
    *,
    taken: Shape = ("n", 4),
    given: Shape = ("n", 3),
    kind: int = TensorProto.FLOAT,
    **how: Any,
) -> Path:
    """Save x · weightᵀ + bias with the weights of `network`; `how` is passed to save_model."""
    weights = [
        numpy_helper.from_array(tensor.detach().numpy(), name)
        for name, tensor in (("w", network.weight), ("b", network.bias))
    ]
    gemm = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    return save(path, [gemm], [value("x", taken, kind)], [value("y", given)], weights, **how)


def value(name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: Sequence[Any] = (),
    *,
    checked: bool = True,
    **how: Any,
) -> Path:
    graph = helper.make_graph(nodes, "tested", inputs, outputs, initializer=weights)
    # The newest IR version is newer than onnxruntime supports.
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8)
    if checked:
        checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, path, **how)
    return path


def some(shape: Sequence[int], seed: int = 3) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.random.default_rng(seed).random(shape, dtype=np.float32)
