"""A file that is doubted: plain or gzip, read line by line within bounds, errors with the place."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from infadapter_workload.trace import TraceError

MAX_LINE = 65_536  # bytes: a row of 1,440 minutes takes 10,000
MAX_LINES = 50_000_000
MAX_CONTENT = 16 * 2**20  # bytes, of JSON, which takes ten times as much when it is read

_GZIP = b"\x1f\x8b"
_SHOWN = 40  # characters of what is wrong


class Line(NamedTuple):
    path: Path
    number: int
    text: str

    def error(self, problem: str) -> TraceError:
        return TraceError(f"{self.path}:{self.number}: {problem}.")


def shown(text: str) -> str:
    """Quoted, and cut where it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


@dataclass(frozen=True, slots=True)
class Stream:
    """Read once, from the beginning; `head` looks ahead."""

    path: Path
    file: "io.BufferedReader[io.FileIO] | gzip.GzipFile"

    @property
    def name(self) -> str:
        """Of the trace: of the file, without its endings."""
        return Path(self.path.name.removesuffix(".gz")).stem

    def starts_with(self, mark: bytes) -> bool:
        """Blanks aside."""
        return self.file.peek(MAX_LINE).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(mark)

    def head(self) -> list[Line]:
        """The first lines that hold something, as far as they are known without reading on."""
        start = self.file.peek(MAX_LINE)
        raw = start.split(b"\n")
        whole = raw[:-1] or raw  # the last may be cut off
        return [line for line in map(self._line, range(1, len(whole) + 1), whole) if _holds(line)]

    def lines(self) -> Iterator[Line]:
        """Those that are not empty and do not begin with #. Raises TraceError."""
        for number in range(1, MAX_LINES + 1):
            raw = self.file.readline(MAX_LINE)
            if not raw:
                return
            line = self._line(number, raw)
            if _holds(line):
                yield line
        raise self.error(f"has more than {MAX_LINES:,} lines")

    def content(self) -> bytes:
        """All of it. Raises TraceError when that is too much."""
        content = self.file.read(MAX_CONTENT + 1)
        if len(content) > MAX_CONTENT:
            raise self.error(f"is larger than {MAX_CONTENT // 2**20} MiB")
        return content

    def error(self, problem: str) -> TraceError:
        return TraceError(f"The trace {self.path} {problem}.")

    def _line(self, number: int, raw: bytes) -> Line:
        if len(raw) >= MAX_LINE:
            raise Line(self.path, number, "").error(f"a line has {MAX_LINE:,} bytes or more")
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise Line(self.path, number, "").error("this is not text")
        return Line(self.path, number, text.strip())


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """Raises TraceError, also for what goes wrong while the stream is read."""
    try:
        with io.BufferedReader(io.FileIO(path), MAX_LINE) as file:
            packed = file.peek(2).startswith(_GZIP)
            yield Stream(path, gzip.GzipFile(fileobj=file) if packed else file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"The trace {path} cannot be read: its gzip data is damaged.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise TraceError(f"The trace {path} cannot be read: {reason}.") from error


def _holds(line: Line) -> bool:
    return bool(line.text) and not line.text.startswith("#")
