"""
What is served of an ONNX file: its tensors according to the file and the model's configuration.

The configuration supplies sizes that the file leaves open. The batch dimension must be variable or
one; other sizes would have to be padded at the cost of a full batch.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from infadapter_server.networks.onnx_header import FLOAT, OnnxTensor, read_header
from infadapter_server.networks.signatures import LoadError, Signature
from infadapter_server.serving.config_keys import MOST_VALUES, ConfigError
from infadapter_server.serving.model_config import BATCH_SIZES, CONFIG_FILE, ModelConfig

__all__ = ["read_onnx"]

_KINDS = {
    **{2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64", 8: "BYTES"},
    **{9: "BOOL", 10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64", 16: "BF16"},
}


class _Said(NamedTuple):
    """A tensor according to the configuration, its shape without the batch."""

    name: str
    shape: tuple[int, ...]


def read_onnx(file: Path, config: ModelConfig) -> tuple[ModelConfig, list[Path]]:
    """
    Return the completed configuration, and the files of external weights. Raises ConfigError, and
    OSError for an unreadable file.
    """
    try:
        header = read_header(file)
        said_input, said_output = _said(config)
        taken = _one(header.inputs, said_input, "input")
        given = _one(header.outputs, said_output, "output")
        if len(header.inputs) > 1:
            raise ConfigError(f"takes {len(header.inputs)} inputs; one is what is served")
        batch, input_shape = _sizes(taken, said_input, "input")
        _, output_shape = _sizes(given, said_output, "output")
        sizes = _batch_sizes(batch, config.batch_sizes)
        beside = [_beside(file, name) for name in sorted(header.external)]
    except LoadError as error:
        raise ConfigError(str(error)) from None
    except ConfigError as error:
        raise ConfigError(f"The model {file} {error}.") from None
    signature = Signature(
        input_shape=input_shape,
        output_shape=output_shape,
        input_name=taken.name,
        output_name=given.name,
    )
    return replace(config, signature=signature, batch_sizes=sizes), beside


def _said(config: ModelConfig) -> tuple[_Said | None, _Said | None]:
    said = config.signature
    if said is None:
        return None, None
    return _Said(said.input_name, said.input_shape), _Said(said.output_name, said.output_shape)


def _one(tensors: Sequence[OnnxTensor], said: _Said | None, what: str) -> OnnxTensor:
    """Return the only tensor, or of several the one that the configuration names."""
    if said is None and len(tensors) == 1:
        return tensors[0]
    names = ", ".join(tensor.name for tensor in tensors[:8])[:300]
    if said is None:
        raise ConfigError(
            f"has {len(tensors)} {what}s ({names}): say in {CONFIG_FILE} which one is meant"
        )
    for tensor in tensors:
        if tensor.name == said.name:
            return tensor
    raise ConfigError(f"has no {what} {said.name}, which {CONFIG_FILE} names; there is {names}")


def _sizes(tensor: OnnxTensor, said: _Said | None, what: str) -> tuple[int | str, tuple[int, ...]]:
    """Return the size of the batch and the other sizes."""
    if tensor.kind not in (0, FLOAT):
        kind = _KINDS.get(tensor.kind, "of another kind")
        raise ConfigError(
            f"computes with {what}s that are {kind}, and FP32 is what is served: cast in the graph"
        )
    shape = tensor.shape
    if shape is None and said is not None:
        shape = ("", *said.shape)
    if not shape:
        raise ConfigError(
            f"doesn't say the shape of its {what} {tensor.name}, whose first size is the batch: "
            f"say input and output in {CONFIG_FILE}"
        )
    batch, rest = shape[0], shape[1:]
    if said is not None and not _fits(rest, said.shape):
        raise ConfigError(
            f"has the {what} shape {_shown(rest)}, and not {list(said.shape)} as {CONFIG_FILE} says"
        )
    whole = tuple(size for size in rest if isinstance(size, int)) if said is None else said.shape
    if len(whole) != len(rest):
        raise ConfigError(
            f"leaves sizes of its {what} {tensor.name} open, {_shown(rest)} behind the batch: "
            f"say input and output in {CONFIG_FILE}"
        )
    if math.prod(whole) > MOST_VALUES:
        raise ConfigError(f"has {what}s of more than {MOST_VALUES} values, which is too many")
    return batch, whole


def _fits(rest: tuple[int | str, ...], said: tuple[int, ...]) -> bool:
    pairs = zip(rest, said, strict=False)
    return len(rest) == len(said) and all(size in (ours, str(size)) for size, ours in pairs)


def _shown(shape: tuple[int | str, ...]) -> str:
    return f"[{', '.join(str(size) or '?' for size in shape)}]"[:200]


def _batch_sizes(batch: int | str, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(batch, str):
        return wanted
    if batch != 1:
        raise ConfigError(
            f"takes batches of {batch} and no others: export it with a dynamic batch, or for one "
            "image"
        )
    if wanted not in ((1,), BATCH_SIZES):
        raise ConfigError(
            "takes one image at a time: export it with a dynamic batch, or say `batch_sizes: [1]`"
        )
    return (1,)


def _beside(file: Path, name: str) -> Path:
    path = file.parent / name
    if not name or not path.resolve().is_relative_to(file.parent.resolve()):
        raise ConfigError(f"has weights outside of its folder, in {name[:200]!r}: put them into it")
    if not path.is_file():
        raise ConfigError(f"has weights in {name[:200]!r}, which is missing: put it beside it")
    return path
