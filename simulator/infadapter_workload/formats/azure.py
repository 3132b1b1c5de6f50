"""
Readers of the Azure Functions traces of 2019 and 2021. The format's option is one function's hash
or name.

The Azure LLM traces are tables of time stamps, which other readers accept.
"""

import numpy as np

from infadapter_workload.formats.fields import requests, split
from infadapter_workload.formats.moments import seconds_ns
from infadapter_workload.formats.numbers import evenly
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series
from infadapter_workload.trace import MAX_RPS, MAX_SECONDS, Array

HEADER_2019 = ("HashOwner", "HashApp", "HashFunction", "Trigger")
HEADER_2021 = ("app", "func", "end_timestamp", "duration")

_FUNCTION_2019 = HEADER_2019.index("HashFunction")
_MINUTE_S = 60


def read_2019(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """Read invocations per minute, one function per row: the sum of all, or one function."""
    lines = stream.lines()
    minutes = _minutes(next(lines, None), stream)
    total = np.zeros(minutes)
    found = False
    for line in lines:
        fields = split(line.text, ",")
        if len(fields) != len(HEADER_2019) + minutes:
            raise line.error(f"there must be {len(HEADER_2019) + minutes} columns")
        if option in ("", fields[_FUNCTION_2019]):
            total += _counts(line, fields[len(HEADER_2019) :])
            found = True
    if not found:
        raise _nothing(stream, option)
    rates = total / _MINUTE_S
    if rates.max() > MAX_RPS:
        raise stream.error(f"has more than {MAX_RPS:,.0f} requests per second")
    return evenly(stream.name, f"Azure Functions 2019{_of(option)}", rates, _MINUTE_S)


def read_2021(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """Read one invocation per line with its end and duration in seconds, sorted by start."""
    stamps = Stamps(options.to_s)
    for index, line in enumerate(stream.lines()):
        fields = split(line.text, ",")
        if len(fields) != len(HEADER_2021):
            raise line.error(f"there must be {len(HEADER_2021)} columns")
        if index and option in ("", fields[1]):
            stamps.add(_start_ns(line, *fields[2:]), line)
    if stamps.last_ns is None:
        raise _nothing(stream, option)
    return stamps.series(stream, f"Azure Functions 2021{_of(option)}")


def _minutes(header: Line | None, stream: Stream) -> int:
    if header is None:
        raise stream.error("is empty")
    minutes = len(split(header.text, ",")) - len(HEADER_2019)
    if not 0 < minutes <= MAX_SECONDS // _MINUTE_S:
        raise header.error("there must be columns of minutes")
    return minutes


def _counts(line: Line, fields: list[str]) -> Array:
    try:
        counts = np.fromiter(map(float, fields), float, len(fields))
    except ValueError:
        counts = np.array([np.nan])
    if not ((counts >= 0) & (counts <= MAX_RPS * _MINUTE_S)).all():  # NaN fails both comparisons
        for field in fields:
            requests(line, field, _MINUTE_S)  # raises with the field that is wrong
    return counts


def _start_ns(line: Line, end: str, duration: str) -> int:
    try:
        end_ns, duration_ns = seconds_ns(end), seconds_ns(duration)
    except ValueError:
        raise line.error(
            f"{shown(end)} and {shown(duration)} must be an end and a duration in seconds"
        ) from None
    if duration_ns < 0:
        raise line.error(f"the duration {shown(duration)} is negative")
    return end_ns - duration_ns


def _nothing(stream: Stream, function: str) -> Exception:
    of = f" of the function {shown(function)}" if function else ""
    return stream.error(f"holds no requests{of}")


def _of(function: str) -> str:
    return f", the function {function}" if function else ", the sum of all functions"
