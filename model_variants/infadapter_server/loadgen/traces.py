"""Reads a request trace: how many requests arrive in each second, one number a line or as CSV.

A trace comes from somewhere else, so every line is doubted, and what is wrong is said with its
place. A second that is missing is not taken for a second without requests.
"""

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from infadapter_server.loadgen.arrivals import Array

MAX_SECONDS = 31 * 86_400
MAX_RPS = 1e6
_MAX_SECOND = 1e12  # seconds may count from 1970, or be milliseconds by mistake
_MAX_LINE = 200  # characters


class TraceError(Exception):
    """A trace that cannot be used; the message is one sentence with file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Request rates, each of which holds for `step_s`."""

    rates_rps: Array
    step_s: float = 1.0

    @property
    def duration_s(self) -> float:
        return len(self.rates_rps) * self.step_s


def read_trace(path: Path) -> Trace:
    """Read one number a line, or `second,requests` with or without a header; .gz too.

    Lines that are empty or begin with # are passed over.

    Raises TraceError for a file that cannot be read, is empty, or holds anything but finite
    numbers from 0 on and seconds without gaps.
    """
    try:
        with _open(path) as file:
            rates = _parse(_lines(file, path), path)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is not a text or gzip file"
        raise TraceError(f"The trace {path} cannot be read: {reason}.") from error
    if not rates:
        raise TraceError(f"The trace {path} holds no numbers.")
    return Trace(rates_rps=np.array(rates))


def scaled(trace: Trace, factor: float) -> Trace:
    """Return the trace with every rate multiplied."""
    if not (math.isfinite(factor) and factor > 0):
        raise TraceError(f"A trace can be scaled by a positive number only, not by {factor:g}.")
    return replace(trace, rates_rps=trace.rates_rps * factor)


def cut(trace: Trace, *, start_s: float = 0.0, duration_s: float) -> Trace:
    """Return the part that begins at start_s, in whole steps, at most duration_s long."""
    first = math.floor(start_s / trace.step_s)
    last = first + math.ceil(duration_s / trace.step_s)
    part = trace.rates_rps[max(first, 0) : max(last, 0)]
    if not len(part):
        raise TraceError(
            f"The trace lasts {trace.duration_s:g} s; {duration_s:g} s from {start_s:g} s on "
            "leave nothing of it."
        )
    return replace(trace, rates_rps=part)


def compressed(trace: Trace, duration_s: float) -> Trace:
    """Return the whole trace played in duration_s: the same rates, each for a shorter time."""
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise TraceError(f"A trace must last longer than 0 s, not {duration_s:g} s.")
    return replace(trace, step_s=duration_s / len(trace.rates_rps))


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _lines(file: IO[str], path: Path) -> Iterator[tuple[str, str]]:
    """Yield what each line holds, and its place."""
    number = 0
    while line := file.readline(_MAX_LINE):
        number += 1
        place = f"{path}:{number}"
        if len(line) == _MAX_LINE:
            raise TraceError(f"{place}: the line is longer than {_MAX_LINE} characters.")
        text = line.strip().removeprefix("\ufeff")
        if text and not text.startswith("#"):
            yield text, place


def _parse(lines: Iterator[tuple[str, str]], path: Path) -> list[float]:
    rates: list[float] = []
    columns = 0
    first_second = 0.0
    for text, place in lines:
        fields = [field.strip() for field in text.split(",")]
        if not columns:
            columns = len(fields)
            if _is_header(fields):
                continue
        if len(fields) != columns or columns > 2:
            raise TraceError(
                f"{place}: a line must hold one number or second,requests throughout, not {text!r}."
            )
        if columns == 2:
            second = _number(fields[0], "a second", _MAX_SECOND, place)
            first_second = second if not rates else first_second
            _check_order(second, first_second + len(rates), place)
        rates.append(_number(fields[-1], "a number of requests", MAX_RPS, place))
        if len(rates) > MAX_SECONDS:
            raise TraceError(f"The trace {path} is longer than {MAX_SECONDS} s.")
    return rates


def _is_header(fields: list[str]) -> bool:
    return len(fields) == 2 and not any(_is_number(field) for field in fields)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, what: str, limit: float, place: str) -> float:
    if not _is_number(text):
        raise TraceError(f"{place}: {text!r} is not {what}.")
    number = float(text)
    if not 0 <= number <= limit:
        raise TraceError(f"{place}: {what} must be from 0 to {limit:,.0f}, not {text}.")
    return number


def _check_order(second: float, expected: float, place: str) -> None:
    if second < expected:
        raise TraceError(f"{place}: second {second:g} comes after second {expected - 1:g}.")
    if second > expected:
        raise TraceError(
            f"{place}: second {expected:g} is missing before {second:g}; a second without "
            "requests must be listed with 0."
        )
