"""Request bodies of the Open Inference Protocol v2, made once, before the run.

Making one takes longer than sending it, so a run sends a small number of bodies in turn.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

BODIES = 64  # enough, by default
LARGE = 10_000  # numbers in a tensor
FEW = 4
MAX_BODY_BYTES = 64 * 1024 * 1024
_BYTES_PER_NUMBER = 7  # 0.1234 and a comma


class BodyError(Exception):
    """A body that cannot be sent; the message is one sentence."""


def glyph_bodies(n: int = BODIES, *, seed: int) -> list[bytes]:
    """Return requests for n images of the demo's task, drawn from the seed."""
    from infadapter_server.networks.glyphs import sample  # needs Pillow, which other models do not

    images, _ = sample(n, seed)
    return [infer_body(image[None]) for image in images]


def random_bodies(
    shape: Sequence[int], n: int = BODIES, *, seed: int, name: str = "image"
) -> list[bytes]:
    """Return requests of one FP32 tensor each, filled with random numbers from 0 to 1.

    Of large tensors there are fewer than n: making one takes long.

    Raises BodyError for a shape with a dimension below 1, or too large to be sent.
    """
    _check_shape(shape)
    n = n if math.prod(shape) <= LARGE else min(n, FEW)
    rng = np.random.default_rng(seed)
    return [infer_body(rng.random(shape, np.float32), name=name) for _ in range(n)]


def parse_shape(text: str) -> tuple[int, ...]:
    """Return the shape that a text such as 1,3,224,224 says.

    Raises BodyError if it says none, or one that `random_bodies` would refuse.
    """
    try:
        shape = tuple(int(size) for size in text.split(","))
    except ValueError as error:
        raise BodyError(f"A shape is whole numbers and commas, unlike {text!r}.") from error
    _check_shape(shape)
    return shape


def infer_body(tensor: npt.NDArray[np.float32], *, name: str = "image") -> bytes:
    """Return the request for one FP32 tensor, rounded to 4 digits: half the bytes, same answer."""
    # Rounded in float64 and kept there: a rounded float32 prints as 0.30000001192….
    data = np.round(tensor.astype(np.float64).ravel(), 4)
    entry = {"name": name, "shape": list(tensor.shape), "datatype": "FP32", "data": data}
    return orjson.dumps({"inputs": [entry]}, option=orjson.OPT_SERIALIZE_NUMPY)


def read_body(path: Path) -> bytes:
    """Return a body that somebody wrote.

    Raises BodyError if it cannot be read, is not JSON, or is larger than 64 MiB.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise BodyError(f"The request body {path} cannot be read: {error.strerror}.") from error
    if len(body) > MAX_BODY_BYTES:
        raise BodyError(f"The request body {path} is larger than {MAX_BODY_BYTES} bytes.")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"The request body {path} is not JSON: {error}.") from error
    return body


def _check_shape(shape: Sequence[int]) -> None:
    if not shape or min(shape) < 1:
        raise BodyError(f"Every dimension of a shape must be at least 1, not {_text(shape)}.")
    if math.prod(shape) * _BYTES_PER_NUMBER > MAX_BODY_BYTES:
        raise BodyError(f"A tensor of shape {_text(shape)} is too large for a request.")


def _text(shape: Sequence[int]) -> str:
    return ",".join(str(size) for size in shape)
