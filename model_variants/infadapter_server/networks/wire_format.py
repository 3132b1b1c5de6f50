"""Locate the fields of a Protocol Buffers message without reading their content.

A full parser would read gigabytes of an ONNX model's weights for the few names and shapes that the
catalogue needs.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

__all__ = ["Buffer", "Field", "NotWireFormat", "fields"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10


class NotWireFormat(ValueError):
    """The bytes are no valid message."""


class Buffer(Protocol):
    """Bytes by offset, in memory or in a file."""

    def __getitem__(self, at: int, /) -> int: ...


class Field(NamedTuple):
    """A field: `value` of a varint; the bytes of other kinds lie at [begin, end)."""

    number: int
    value: int
    begin: int
    end: int


def fields(buffer: Buffer, begin: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message at [begin, end). Raises NotWireFormat."""
    at = begin
    while at < end:
        key, at = _varint(buffer, at, end)
        number, kind = key >> 3, key & 7
        value, start = 0, at
        if kind == _VARINT:
            value, at = _varint(buffer, at, end)
        elif kind == _BYTES:
            length, start = _varint(buffer, at, end)
            at = start + length
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise NotWireFormat(f"no field is of the kind {kind}")
        if at > end or number == 0:
            raise NotWireFormat("a field goes beyond its message")
        yield Field(number, value, start, at)


def _varint(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    value = 0
    for index in range(min(_LONGEST_VARINT, end - at)):
        byte = buffer[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise NotWireFormat("a number doesn't end")
