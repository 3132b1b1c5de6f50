"""
Decompress and decode files: gzip, bzip2, xz, UTF-16. Other formats are recognised and refused by
name.
"""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from infadapter_workload.trace import TraceError

Bytes = io.BufferedReader | io.BytesIO
OnProgress = Callable[[int, int], None]

LOOKED_AT = 65_536  # bytes
_LONGEST_HOLE = 4 * 2**30  # bytes: a device never ends
_MOST_WIDE = 64 * 2**20  # bytes of UTF-16, which is decoded as a whole

_WIDE = (b"\xff\xfe", b"\xfe\xff")

_OTHERS = (
    (b"\x28\xb5\x2f\xfd", "is packed with zstd: give `zstd -dc FILE` to --trace -"),
    (b"\x04\x22\x4d\x18", "is packed with lz4: give `lz4 -dc FILE` to --trace -"),
    (b"PK\x03\x04", "is a zip archive or a workbook: unpack it, or save its sheet as CSV"),
    (b"PAR1", "is a Parquet file: write it as CSV"),
    (b"Obj\x01", "is an Avro file: write it as CSV"),
    (b"ARROW1", "is an Arrow file: write it as CSV"),
    (b"SQLite format 3", "is an SQLite database: write the table as CSV"),
    (b"7z\xbc\xaf", "is a 7z archive: unpack it"),
)


def unpacked(path: Path, raw: io.BufferedReader) -> tuple[bytes, Bytes]:
    """
    Return the first bytes and the whole content. Raises TraceError for a file that its signature
    shows not to be text.
    """
    file = _opened(raw)
    beginning = _without_hole(path, _first(file), file)
    for mark, problem in _OTHERS:
        if beginning.startswith(mark):
            raise TraceError(f"The trace {path} {problem}.")
    if beginning[257:262] == b"ustar":
        raise TraceError(f"The trace {path} is a tar archive: unpack it, and name its file.")
    if beginning.startswith(_WIDE):
        return _narrow(path, beginning, file)
    return beginning, io.BufferedReader(_Rejoined(beginning, file), LOOKED_AT)


def _opened(raw: io.BufferedReader) -> IO[bytes]:
    mark = raw.peek(6)
    if mark.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if mark.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if mark.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(raw)
    return raw


def _first(file: IO[bytes]) -> bytes:
    """Return the first bytes; a pipe delivers them in pieces."""
    parts, size = [], 0
    while size < LOOKED_AT and (part := file.read(LOOKED_AT - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _without_hole(path: Path, beginning: bytes, file: IO[bytes]) -> bytes:
    """
    Skip the NULs that log rotation by copying leaves. One is kept, so that its line counts as
    damaged.
    """
    skipped = 0
    while len(beginning) >= LOOKED_AT and beginning.count(0) == len(beginning):
        skipped += LOOKED_AT
        if skipped > _LONGEST_HOLE:
            raise TraceError(
                f"The trace {path} begins with more than {_LONGEST_HOLE // 2**20:,} MiB of NUL "
                "bytes: if there is anything after them, read it with `tail -c` and --trace -."
            )
        beginning = b"\0" + _first(file)
    return beginning


def _narrow(path: Path, beginning: bytes, file: IO[bytes]) -> tuple[bytes, Bytes]:
    """Decode UTF-16, which spreadsheets and PowerShell write with a byte order mark."""
    content = beginning + file.read(_MOST_WIDE + 1)
    if len(content) > _MOST_WIDE:
        raise TraceError(f"The trace {path} is large and in UTF-16: write it in UTF-8.")
    try:
        text = content.decode("utf-16").encode()
    except UnicodeError as error:
        raise TraceError(f"{path}:1: this is not text.") from error
    return text[:LOOKED_AT], io.BytesIO(text)


class _Rejoined(io.RawIOBase):
    """The bytes that were inspected, followed by the rest of the file."""

    def __init__(self, beginning: bytes, rest: IO[bytes]) -> None:
        self._beginning, self._rest = io.BytesIO(beginning), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._beginning.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)
