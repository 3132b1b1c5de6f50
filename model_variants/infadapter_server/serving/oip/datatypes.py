"""
The protocol's datatypes, and their conversion to the FP32 in which networks compute.

Values are converted where nothing is lost that FP32 text would have kept: floats are rounded like
any JSON number, whole numbers must be exact in FP32. Others are refused, since the answer would
otherwise be to silently changed values.
"""

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats
from infadapter_server.serving.oip.fields import BadTensor, shown

__all__ = ["DATATYPES", "Datatype", "datatype", "floats", "listed", "packed"]

_EXACT = 2**24  # every whole number up to it is an FP32


@dataclass(frozen=True, slots=True, kw_only=True)
class Datatype:
    """How values are stored in binary tensors, and the array type that takes them from JSON."""

    name: str
    stored: str  # numpy's name, little-endian
    typecode: str  # of the module array, which refuses what does not fit

    @property
    def value_bytes(self) -> int:
        """Size of one value in a binary tensor."""
        return np.dtype(self.stored).itemsize

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.typecode not in "fd"


_ROWS = (
    *(("BOOL", "u1", "B"), ("FP16", "<f2", "d"), ("FP32", "<f4", "f"), ("FP64", "<f8", "d")),
    *(("INT8", "i1", "b"), ("INT16", "<i2", "h"), ("INT32", "<i4", "i"), ("INT64", "<i8", "q")),
    *(("UINT8", "u1", "B"), ("UINT16", "<u2", "H"), ("UINT32", "<u4", "I")),
    ("UINT64", "<u8", "Q"),
)
DATATYPES = {
    name: Datatype(name=name, stored=stored, typecode=typecode) for name, stored, typecode in _ROWS
}


def datatype(given: object, tensor: str) -> Datatype:
    """Return the datatype of an input. Raises BadTensor if its values are no numbers."""
    found = DATATYPES.get(given) if isinstance(given, str) else None
    if found is None:
        raise BadTensor(
            f"The datatype of {tensor} is {shown(given)}; it must be FP32, "
            f"or one that is cast to it: {', '.join(sorted(DATATYPES.keys() - {'FP32'}))}."
        )
    return found


def listed(leaves: list[Any], kind: Datatype) -> npt.NDArray[Any]:
    """Return values that came as JSON numbers. Raises BadTensor."""
    try:
        # numpy alone would read text as numbers, and need memory without bounds for long text.
        values = np.asarray(array(kind.typecode, leaves))
    except TypeError:
        numbers = "whole numbers" if kind.whole else "numbers"
        raise BadTensor(f"The field data must hold {numbers} and nothing else.") from None
    except OverflowError:
        raise BadTensor(f"The field data holds a number that is no {kind.name}.") from None
    if values.dtype == kind.stored:
        return values
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        return values.astype(kind.stored)


def packed(content: bytes, kind: Datatype) -> npt.NDArray[Any]:
    """Return values that came as bytes."""
    return np.frombuffer(content, kind.stored)


def floats(values: npt.NDArray[Any], kind: Datatype, tensor: str) -> Floats:
    """Return the values as FP32, in memory of their own. Raises BadTensor."""
    if kind.name == "BOOL" and (values > 1).any():
        raise BadTensor(f"The values of {tensor} must be 0 or 1, since they are BOOL.")
    if kind.whole and ((values > _EXACT) | (values < -_EXACT)).any():
        raise BadTensor(
            f"The values of {tensor} must lie between {-_EXACT} and {_EXACT}: "
            "FP32 does not hold every whole number beyond."
        )
    if values.dtype != np.float32 or not values.flags.writeable:  # torch wants to own its memory
        with np.errstate(over="ignore", invalid="ignore"):
            values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise BadTensor(f"The values of {tensor} must be finite and fit into FP32.")
    return values
