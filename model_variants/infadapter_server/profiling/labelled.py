"""Measure the accuracy of a variant on a labelled set."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from infadapter_server.loadgen.bodies import BodyError, infer_body
from infadapter_server.profiling.aside import aside

_INPUTS = ("images", "x", "inputs")
_LABELS = ("labels", "y")

Ask = Callable[[bytes], bytes]
"""Sends the body of a request and returns that of the answer; raises ProfileError."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Inputs, one per row, with their classes."""

    inputs: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    @property
    def digest(self) -> str:
        whole = hashlib.sha256(np.ascontiguousarray(self.inputs).tobytes())
        whole.update(np.ascontiguousarray(self.labels).tobytes())
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of correct answers with its standard error."""

    share: float
    error: float


def read_labelled(path: Path) -> Labelled:
    """Read an .npz file of `images` (or `x`, `inputs`) and `labels` (or `y`). Raises BodyError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            inputs, labels = _named(arrays, _INPUTS), _named(arrays, _LABELS)
            read = Labelled(np.asarray(inputs, np.float32), np.asarray(labels, np.int64).ravel())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BodyError(
            f"{path} must be an .npz file with the arrays images and labels: {error}."
        ) from error
    if len(read.inputs) != len(read.labels) or not len(read.labels):
        raise BodyError(
            f"{path} must hold as many labels as images, at least one, not {len(read.labels)} "
            f"for {len(read.inputs)}."
        )
    return read


async def measure_accuracy(labelled: Labelled, ask: Ask, input_name: str) -> Accuracy:
    """Send one request after the other, which is no load. Raises ProfileError or BodyError."""
    right = 0
    for row, label in zip(labelled.inputs, labelled.labels.tolist(), strict=True):
        answer = await aside(ask, infer_body(row[None], name=input_name))
        right += answered_class(answer) == label
    share = right / len(labelled.labels)
    return Accuracy(share, math.sqrt(share * (1 - share) / len(labelled.labels)))


def answered_class(answer: bytes) -> int:
    """
    Return the class with the highest score in the first output, or the output itself if it is a
    class.
    """
    try:
        output = orjson.loads(answer)["outputs"][0]
        data = np.asarray(output["data"]).ravel()
        if data.size == 0 or not np.isfinite(data.astype(np.float64)).all():
            raise ValueError("no finite numbers")
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError) as error:
        raise BodyError(f"The answer has no output that names a class: {error}.") from error
    return int(data[0]) if data.size == 1 else int(data.argmax())


def _named(arrays: Any, names: tuple[str, ...]) -> Any:
    return arrays[next((name for name in names if name in arrays), names[0])]
