"""Read an ONNX file's header: its tensors' names, kinds and shapes, and its weight files.

The server needs the headers of all files of a repository before it loads any, and onnxruntime may
not be installed. So this module walks the file itself and skips its weights.
Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from infadapter_server.networks.signatures import LoadError
from infadapter_server.networks.wire_format import Field, NotWireFormat, fields

__all__ = ["FLOAT", "OnnxHeader", "OnnxTensor", "read_header"]

FLOAT = 1
"""TensorProto.DataType of float32; other networks are not served."""

_GRAPH = 7
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_TENSOR_NAME, _EXTERNAL = 8, 13
_NAME, _TYPE, _TENSOR_TYPE, _KIND, _SHAPE, _DIMENSION = 1, 2, 1, 1, 2, 1
_SIZE, _SYMBOL = 1, 2
_KEY, _VALUE = 1, 2
_MOST_FIELDS = 1_000_000
_BLOCK_BYTES = 4096
_LONGEST_TEXT = 4096


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """A tensor. `shape` has sizes, or symbols for dynamic ones; None if the file has no shape."""

    name: str
    kind: int = 0
    shape: tuple[int | str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """A header. `inputs` excludes initialised ones; `external` names separate weight files."""

    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]
    external: frozenset[str] = frozenset()


def read_header(path: Path) -> OnnxHeader:
    """Raises LoadError, and OSError where the file can't be read."""
    with path.open("rb", buffering=0) as file:
        try:
            return _Walk(_Bytes(file)).header()
        except ValueError:
            raise LoadError(
                f"The model {path} is damaged, or no ONNX file: write it by torch.onnx.export."
            ) from None


class _Bytes:
    """
    A file's bytes by offset, read in blocks. The file is not mapped: `cp` truncates a file before
    it overwrites it, and reading a mapped file beyond its end raises SIGBUS.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.length = file.seek(0, SEEK_END)
        self._begin, self._block = 0, b""

    def __getitem__(self, at: int) -> int:
        if not self._begin <= at < self._begin + len(self._block):
            self._begin, self._block = at, self.read(at, at + _BLOCK_BYTES)
            if not self._block:
                raise NotWireFormat("the file ends before its message")
        return self._block[at - self._begin]

    def read(self, begin: int, end: int) -> bytes:
        self._file.seek(begin)
        return self._file.read(end - begin)


class _Walk:
    """A single pass over a file."""

    def __init__(self, content: _Bytes) -> None:
        self._content = content
        self._left = _MOST_FIELDS

    def header(self) -> OnnxHeader:
        whole = Field(0, 0, 0, self._content.length)
        graphs = [field for field in self._in(whole) if field.number == _GRAPH]
        if len(graphs) != 1:
            raise NotWireFormat("a model has one graph")
        inputs: list[OnnxTensor] = []
        outputs: list[OnnxTensor] = []
        given: set[str] = set()
        external: set[str] = set()
        for field in self._in(graphs[0]):
            if field.number == _INPUT:
                inputs.append(self._tensor(field))
            elif field.number == _OUTPUT:
                outputs.append(self._tensor(field))
            elif field.number == _INITIALIZER:
                self._weights(field, given, external)
        asked = tuple(tensor for tensor in inputs if tensor.name not in given)
        return OnnxHeader(asked, tuple(outputs), frozenset(external))

    def _weights(self, initializer: Field, given: set[str], external: set[str]) -> None:
        for field in self._in(initializer):
            if field.number == _TENSOR_NAME:
                given.add(self._text(field))
            elif field.number == _EXTERNAL:
                entry = {part.number: self._text(part) for part in self._in(field)}
                if entry.get(_KEY) == "location":
                    external.add(entry.get(_VALUE, ""))

    def _tensor(self, info: Field) -> OnnxTensor:
        name, kind, shape = "", 0, None
        for field in self._in(info):
            if field.number == _NAME:
                name = self._text(field)
            elif field.number == _TYPE:
                kind, shape = self._type(field)
        return OnnxTensor(name, kind, shape)

    def _type(self, info: Field) -> tuple[int, tuple[int | str, ...] | None]:
        kind, shape = 0, None
        for tensor in self._in(info):
            if tensor.number != _TENSOR_TYPE:
                continue  # a sequence or a map, which has no kind
            for field in self._in(tensor):
                if field.number == _KIND:
                    kind = field.value
                elif field.number == _SHAPE:
                    dimensions = [dim for dim in self._in(field) if dim.number == _DIMENSION]
                    shape = tuple(self._dimension(dim) for dim in dimensions)
        return kind, shape

    def _dimension(self, dimension: Field) -> int | str:
        for field in self._in(dimension):
            if field.number == _SIZE:
                return field.value if 0 < field.value < 2**63 else ""
            if field.number == _SYMBOL:
                return self._text(field)
        return ""

    def _text(self, field: Field) -> str:
        if field.end - field.begin > _LONGEST_TEXT:
            raise NotWireFormat("a name is endless")
        return self._content.read(field.begin, field.end).decode()

    def _in(self, message: Field) -> Iterator[Field]:
        for field in fields(self._content, message.begin, message.end):
            self._left -= 1
            if self._left < 0:
                raise NotWireFormat("it has too many parts")
            yield field
