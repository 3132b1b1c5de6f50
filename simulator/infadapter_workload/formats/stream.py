"""
Untrusted input: a plain or compressed file, read by lines within bounds, with the place in each
error.
"""

import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from infadapter_workload.formats.packed import LOOKED_AT, Bytes, OnProgress, unpacked
from infadapter_workload.trace import TraceError

MAX_LINE = 65_536  # bytes: a row of 1,440 minutes takes 10,000
MAX_SKIPPED = 2**30  # bytes of a longer line that are skipped at most: a device never ends
MAX_LINES = 200_000_000
MAX_CONTENT = 32 * 2**20  # bytes of JSON, which takes ten times as much memory when parsed

STANDARD_INPUT = Path("-")

_OLD_ENDS = r"its lines end with CR alone: write them with tr '\r' '\n' <FILE >NEW"

_DAMAGED = "its compressed data is damaged or cut off"

_SHOWN = 40  # characters quoted in an error
_TELL_EVERY = 65_536  # lines


class Line(NamedTuple):
    path: Path
    number: int
    text: str
    problem: str = ""  # why the line could not be decoded
    cut: bool = False  # the last line, without a newline

    def error(self, problem: str) -> TraceError:
        return TraceError(f"{self.path}:{self.number}: {problem}.")


def shown(text: str) -> str:
    """Return the text quoted, and shortened if it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


@dataclass(slots=True)
class Stream:
    """A file that is read once, from the beginning; `head` looks ahead."""

    path: Path
    file: Bytes
    on_progress: Callable[[], None] = field(default=lambda: None)
    beginning: bytes = b""  # of the decompressed content

    @property
    def name(self) -> str:
        """The trace's name: that of the file without its suffixes."""
        if self.path == STANDARD_INPUT:
            return "standard input"
        name = self.path.name
        for ending in (".gz", ".bz2", ".xz"):
            name = name.removesuffix(ending)
        return Path(name).stem

    def starts_with(self, mark: bytes) -> bool:
        """Whether the content starts with these bytes, not counting blanks."""
        return self.beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(mark)

    def head(self, remarks: bool = False) -> list[Line]:
        """Return the first lines that are not empty, as far as they are buffered."""
        raw = self.beginning.split(b"\n")
        if len(self.beginning) >= LOOKED_AT:
            raw = raw[:-1] or raw  # the last line may continue beyond the beginning
        lines = [self._line(number, text, cut=False) for number, text in enumerate(raw, 1)]
        return [line for line in lines if line.text and (remarks or _holds(line))]

    def lines(self) -> Iterator[Line]:
        """
        Yield lines that are not empty and do not begin with #. Raises TraceError for what is not
        text.
        """
        for line in self.all_lines():
            if line.problem:
                raise line.error(line.problem)
            yield line

    def all_lines(self, remarks: bool = False) -> Iterator[Line]:
        """
        Yield all lines; one that is not text has its `problem` instead. Raises TraceError for too
        many.
        """
        for number in range(1, MAX_LINES + 1):
            raw = self.file.readline(MAX_LINE)
            if not raw:
                return
            if not number % _TELL_EVERY:
                self.on_progress()
            line = self._line(number, raw, cut=not raw.endswith(b"\n"))
            if len(raw) >= MAX_LINE:
                self._skip_line(raw)
            if line.problem or (line.text if remarks else _holds(line)):
                yield line
        raise self.error(f"has more than {MAX_LINES:,} lines")

    def content(self) -> bytes:
        """Return the whole content. Raises TraceError if it is too large."""
        content = self.file.read(MAX_CONTENT + 1)
        if len(content) > MAX_CONTENT:
            raise self.error(f"is larger than {MAX_CONTENT // 2**20} MiB")
        return content

    def error(self, problem: str) -> TraceError:
        return TraceError(f"The trace {self.path} {problem}.")

    def _skip_line(self, raw: bytes) -> None:
        skipped = 0
        while raw and not raw.endswith(b"\n"):
            skipped += len(raw)
            if skipped > MAX_SKIPPED:
                raise self.error(f"has a line of more than {MAX_SKIPPED // 2**20:,} MiB")
            raw = self.file.readline(MAX_LINE)

    def _line(self, number: int, raw: bytes, cut: bool) -> Line:
        if len(raw) >= MAX_LINE:
            return Line(self.path, number, "", f"a line has {MAX_LINE:,} bytes or more")
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            return Line(self.path, number, "", "this is not text in UTF-8", cut)
        if number == 1 and "\r" in text.strip():
            return Line(self.path, number, "", _OLD_ENDS, cut)
        return Line(self.path, number, text.strip(), "", cut)


@contextmanager
def opened(path: Path, on_progress: OnProgress = lambda done, total: None) -> Iterator[Stream]:
    """
    Open a file; `-` is the standard input. Raises TraceError, also for failures while it is read.
    """
    try:
        with _source(path) as raw:
            size = path.stat().st_size if path.is_file() else 0
            beginning, file = unpacked(path, raw)
            yield Stream(path, file, lambda: on_progress(_position(raw), size), beginning)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise TraceError(f"The trace {path} cannot be read: {_DAMAGED}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        if not error.errno:  # raised by a decompressor
            reason = _DAMAGED
        raise TraceError(f"The trace {path} cannot be read: {reason}.") from error


@contextmanager
def _source(path: Path) -> Iterator[Any]:
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # closed by `<&-`
            raise TraceError("The standard input is closed: name a file, or send one into it.")
        yield io.BufferedReader(cast(Any, sys.stdin.buffer), MAX_LINE)
        return
    with io.BufferedReader(io.FileIO(path), MAX_LINE) as file:
        yield file


def _position(raw: io.BufferedReader) -> int:
    return raw.tell() if raw.seekable() else 0


def _holds(line: Line) -> bool:
    return bool(line.text) and not line.text.startswith("#")
