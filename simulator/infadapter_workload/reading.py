"""Reads a trace in whichever of the known forms it comes."""

from pathlib import Path

from infadapter_workload.formats.known import read_as
from infadapter_workload.formats.stream import opened
from infadapter_workload.shaping import without_gaps
from infadapter_workload.synthetic import parse_synthetic
from infadapter_workload.trace import Trace, TraceError

_COLLECTED = ("rates", "table")  # by something that can be down; time stamps are there or not

_BUSY_RPS = 2.0
"""At this rate ten silent seconds come by chance once in years; of less load they are part."""


def read_trace(path: Path, keep_zeros: bool = False, format: str | None = None) -> Trace:
    """
    Read a trace; its form is recognised, or given as `FORMAT` or `FORMAT:OPTION`.

    Of counts per second, long runs of zeros are dropped as gaps of the collector, with a note,
    unless the load is so low that they are to be expected.

    Raises TraceError for a file that cannot be read, is damaged, too large, or holds no requests.
    """
    with opened(path) as stream:
        form, trace = read_as(stream, format)
    if not trace.requests:
        raise TraceError(f"The trace {path} holds no requests, only {trace.seconds:,} s of zeros.")
    if keep_zeros or form not in _COLLECTED or not trace.counted or trace.mean_rps < _BUSY_RPS:
        return trace
    return without_gaps(trace)


def named_trace(name: str, keep_zeros: bool = False, format: str | None = None) -> Trace:
    """Of a file, or made up where it is named `synthetic:KIND[:SEED]`. Raises TraceError."""
    return parse_synthetic(name) or read_trace(Path(name), keep_zeros, format)
