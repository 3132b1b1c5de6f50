"""Outcomes as lines of a file, written as they come, so that another process can follow a run live.

The first line of a JSONL file says when the run's second 0 was, on the clock that all processes of
a machine share; each further line is one outcome. A .csv file has a header and the outcomes only.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

import orjson

from infadapter_workload.outcomes import Outcome

FIELDS = tuple(field.name for field in dataclasses.fields(Outcome))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line: second 0 of the run, and how many requests will be due."""

    start_monotonic_s: float  # as of time.monotonic
    start_unix_s: float
    requests: int


def csv_writer(file: TextIO) -> Callable[[Outcome], None]:
    file.write(",".join(FIELDS) + "\n")

    def write(outcome: Outcome) -> None:
        values = (getattr(outcome, name) for name in FIELDS)
        file.write(",".join("" if value is None else str(value) for value in values) + "\n")

    return write


def jsonl_writer(file: TextIO, start: Start) -> Callable[[Outcome], None]:
    file.write(orjson.dumps(start).decode() + "\n")

    def write(outcome: Outcome) -> None:
        file.write(orjson.dumps(outcome).decode() + "\n")

    return write


class Tail:
    """Reads a growing JSONL file; whole lines only."""

    def __init__(self, path: Path) -> None:
        self.start: Start | None = None  # as soon as it is written
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""

    def read_new(self) -> list[Outcome]:
        """Return the outcomes written since the last call; none when there is no file yet."""
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = self._path.open("rb")
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        records = [orjson.loads(line) for line in lines]
        if records and self.start is None:
            self.start = Start(**records.pop(0))
        return [Outcome(**record) for record in records]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
