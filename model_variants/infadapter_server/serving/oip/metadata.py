"""
Metadata of the server and of models, by the protocol and as Triton's clients expect it.

The protocol has no field for the largest batch, but a client needs to know it to avoid refusals. It
is in the metadata's parameters, and in Triton's model configuration, where its clients look.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from infadapter_scheduler.points import Point
from infadapter_server.networks.signatures import Signature

__all__ = [
    "NAME",
    "ONNX",
    "PYTORCH",
    "Platform",
    "model_config",
    "model_metadata",
    "server_metadata",
]

NAME = "infadapter-server"
_EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration")


class Platform(NamedTuple):
    """The platform of a model's file, in Triton's terms."""

    name: str
    backend: str


PYTORCH = Platform("pytorch", "pytorch")
ONNX = Platform("onnxruntime_onnx", "onnxruntime")


def server_metadata(*more_extensions: str) -> dict[str, Any]:
    """Return the answer to GET /v2; `more_extensions` are those of optional routes."""
    return {
        "name": NAME,
        "version": version("infadapter"),
        "extensions": [*_EXTENSIONS, *more_extensions],
    }


def model_metadata(
    name: str,
    versions: list[str],
    signature: Signature,
    max_batch: int,
    accuracy: float | None = None,
    platform: Platform = PYTORCH,
    points: Sequence[Point] = (),
) -> dict[str, Any]:
    """
    Return the answer to GET /v2/models/NAME; `accuracy` if it was measured with these weights.
    """
    parameters: dict[str, Any] = {"max_batch_size": max_batch}
    if accuracy is not None:
        parameters["accuracy"] = accuracy
    if points:
        parameters["points"] = [{"name": each.name, "accuracy": each.accuracy} for each in points]
    return {
        "name": name,
        "versions": versions,
        "platform": platform.name,
        "inputs": [_tensor(signature.input_name, signature.input_shape)],
        "outputs": [_tensor(signature.output_name, signature.output_shape)],
        "parameters": parameters,
    }


def model_config(
    name: str, signature: Signature, max_batch: int, platform: Platform = PYTORCH
) -> dict[str, Any]:
    """Return the answer to GET /v2/models/NAME/config, in terms of Triton's ModelConfig."""
    return {
        "name": name,
        "platform": "",
        "backend": platform.backend,
        "max_batch_size": max_batch,
        "input": [_configured(signature.input_name, signature.input_shape)],
        "output": [_configured(signature.output_name, signature.output_shape)],
    }


def _tensor(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": name, "datatype": "FP32", "shape": [-1, *shape]}


def _configured(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    # Without the batch's dimension, which max_batch_size above zero implies.
    return {"name": name, "data_type": "TYPE_FP32", "dims": list(shape)}
