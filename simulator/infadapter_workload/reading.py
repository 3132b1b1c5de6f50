"""Read traces in any known format."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infadapter_workload.asked import Asked
from infadapter_workload.formats.known import read_as
from infadapter_workload.formats.stream import opened
from infadapter_workload.gaps import settled
from infadapter_workload.series import Series, joined
from infadapter_workload.synthetic import parse_synthetic
from infadapter_workload.trace import Trace, TraceError


def read_trace(
    path: Path, keep_zeros: bool = False, format: str | None = None, asked: Asked | None = None
) -> Trace:
    """
    Read a trace; its format is detected, or given as `FORMAT` or `FORMAT:OPTION`.

    In counts per second, long runs of zeros are dropped as gaps of the collector, with a note,
    unless the load is so low that they are to be expected. Raises TraceError for a file that cannot
    be read, is damaged, too large or empty, or is ambiguous: the message says which part of `asked`
    resolves it.
    """
    return read_traces([path], _merged(asked, keep_zeros, format))


def read_traces(paths: Sequence[Path], asked: Asked) -> Trace:
    """Read several files of one service as one trace. Raises TraceError."""
    where = " and ".join(map(str, paths[:2])) + (" …" if len(paths) > 2 else "")
    return settled(joined([read_series(path, asked) for path in paths]), asked.gaps, where)


def read_series(path: Path, asked: Asked) -> Series:
    """Read a file with its gaps. Raises TraceError."""
    with opened(path, asked.told) as stream:
        _, series = read_as(stream, asked)
    return series


def named_trace(
    name: str | Sequence[str],
    keep_zeros: bool = False,
    format: str | None = None,
    asked: Asked | None = None,
) -> Trace:
    """
    Return the trace of files, or a synthetic one named `synthetic:KIND[:SEED]`. Raises TraceError.
    """
    names = [name] if isinstance(name, str) else name
    if len(names) == 1 and (made_up := parse_synthetic(names[0])):
        return replace(made_up, form="made up")
    if any(each.startswith("synthetic:") for each in names):
        raise TraceError("Traces that are made up cannot be read together with others.")
    return read_traces([Path(each) for each in names], _merged(asked, keep_zeros, format))


def _merged(asked: Asked | None, keep_zeros: bool, format: str | None) -> Asked:
    found = asked or Asked()
    return replace(
        found,
        format=format or found.format,
        gaps="keep" if keep_zeros else found.gaps,
    )
