"""Tensors in messages: float32, little-endian, of bounded size."""

import math

import numpy as np

from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.slots import FLOAT_BYTES
from infadapter_server.networks.signatures import Floats

MOST_BYTES = 64 * 1024 * 1024
"""Largest message: sixteen images for a ResNet are a sixth of it."""

MOST_DIMENSIONS = 16
"""Largest number of dimensions; NumPy allows 64."""

_LITTLE = np.dtype("<f4")


class BadMessage(ValueError):
    """The message is no valid order or report; the text says why."""


def fits(shape: tuple[int, ...]) -> bool:
    """Whether the tensor fits into a message with its other fields."""
    return math.prod(shape) * FLOAT_BYTES <= MOST_BYTES - 4096


def written_tensor(rows: tuple[Floats, ...], shape: tuple[int, ...]) -> pb.Tensor:
    parts = [np.ascontiguousarray(row, _LITTLE).data for row in rows]
    return pb.Tensor(shape=shape, values=b"".join(parts))


def read_tensor(tensor: pb.Tensor) -> Floats:
    if len(tensor.shape) > MOST_DIMENSIONS:
        raise BadMessage(f"No tensor has {len(tensor.shape)} dimensions.")
    shape = tuple(tensor.shape)
    said = f"{len(tensor.values)} bytes are no tensor of the shape {list(shape)}."
    if math.prod(shape) * FLOAT_BYTES != len(tensor.values) or not shape:
        raise BadMessage(said)
    try:
        # A copy: torch wants to be able to write.
        return np.frombuffer(tensor.values, _LITTLE).astype(np.float32).reshape(shape)
    except ValueError:  # empty, and too large without its zero
        raise BadMessage(said) from None
