"""
The requested output: raw values or best classes, in JSON or binary.

The classification extension is Triton's (extension_classification.md): the k largest values of each
row as text value:index, which simple clients can read without knowing the network.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from infadapter_server.networks.signatures import Floats
from infadapter_server.serving.oip.fields import BadTensor, flag, parameters, shown, whole_number

__all__ = ["Rendered", "Wanted", "rendered", "wanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The form of the output."""

    binary: bool = False
    classes: int | None = None  # that many of the best; None is the tensor itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An output tensor of the protocol; `data` is for JSON, `raw` are the bytes."""

    datatype: str
    shape: tuple[int, ...]
    values: Floats | list[str]

    @property
    def raw(self) -> bytes:
        """The values as a binary tensor."""
        if isinstance(self.values, list):
            texts = [text.encode() for text in self.values]
            return b"".join(struct.pack("<I", len(text)) + text for text in texts)
        return self.values.astype("<f4", copy=False).tobytes()

    @property
    def data(self) -> Floats | list[str]:
        """The values for JSON, which cannot represent values that are not finite."""
        if isinstance(self.values, list):
            return self.values
        if not np.isfinite(self.values).all():
            raise BadTensor(
                "The network's answer to these values is not finite, and JSON cannot carry it; "
                "send smaller values, or ask for the answer in binary."
            )
        return np.ascontiguousarray(self.values).ravel()


def wanted(content: Mapping[str, Any], name: str) -> Wanted:
    """Parse the requested output; parameters of an output override those of the request."""
    outputs = content.get("outputs")
    outputs = [] if outputs is None else outputs
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise BadTensor("The field outputs must be a list of objects.")
    binary = flag(parameters(content, "the request"), "binary_data_output", False)
    for output in outputs:
        if output.get("name") != name:
            raise BadTensor(f"There is no output {shown(output.get('name'))}; there is {name}.")
    if len(outputs) > 1:
        raise BadTensor(f"The output {name} is asked for {len(outputs)} times; once is enough.")
    given = parameters(outputs[0], f"the output {name}") if outputs else {}
    return Wanted(
        binary=flag(given, "binary_data", binary),
        classes=whole_number(given, "classification", 0, "classes") or None,
    )


def rendered(result: Floats, how: Wanted) -> Rendered:
    """Return the network's output in the requested form."""
    if how.classes is None:
        return Rendered(datatype="FP32", shape=result.shape, values=result)
    rows = result.reshape(len(result), -1)
    best = np.argsort(-rows, axis=1, kind="stable")[:, : how.classes]
    texts = [
        f"{rows[row, column]}:{column}" for row, columns in enumerate(best) for column in columns
    ]
    return Rendered(datatype="BYTES", shape=best.shape, values=texts)
