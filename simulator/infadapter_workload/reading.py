"""Read traces in any known format."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infadapter_workload.formats.known import read_as
from infadapter_workload.formats.stream import opened
from infadapter_workload.gaps import resolve_gaps
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series, joined
from infadapter_workload.synthetic import parse_synthetic
from infadapter_workload.trace import Trace, TraceError


def read_trace(
    path: Path,
    keep_zeros: bool = False,
    format: str | None = None,
    options: ReadOptions | None = None,
) -> Trace:
    """
    Read a trace; its format is detected, or given as `FORMAT` or `FORMAT:OPTION`.

    In counts per second, long runs of zeros are dropped as gaps of the collector, with a note,
    unless the load is so low that they are to be expected. Raises TraceError for a file that cannot
    be read, is damaged, too large or empty, or is ambiguous: the message says which part of
    `options` resolves it.
    """
    return read_traces([path], _merged(options, keep_zeros, format))


def read_traces(paths: Sequence[Path], options: ReadOptions) -> Trace:
    """Read several files of one service as one trace. Raises TraceError."""
    where = " and ".join(map(str, paths[:2])) + (" …" if len(paths) > 2 else "")
    return resolve_gaps(joined([read_series(path, options) for path in paths]), options.gaps, where)


def read_series(path: Path, options: ReadOptions) -> Series:
    """Read a file with its gaps. Raises TraceError."""
    with opened(path, options.on_progress) as stream:
        _, series = read_as(stream, options)
    return series


def named_trace(
    name: str | Sequence[str],
    keep_zeros: bool = False,
    format: str | None = None,
    options: ReadOptions | None = None,
) -> Trace:
    """
    Return the trace of files, or a synthetic one named `synthetic:KIND[:SEED]`. Raises TraceError.
    """
    names = [name] if isinstance(name, str) else name
    if len(names) == 1 and (made_up := parse_synthetic(names[0])):
        return replace(made_up, form="made up")
    if any(each.startswith("synthetic:") for each in names):
        raise TraceError("Traces that are made up cannot be read together with others.")
    return read_traces([Path(each) for each in names], _merged(options, keep_zeros, format))


def _merged(options: ReadOptions | None, keep_zeros: bool, format: str | None) -> ReadOptions:
    found = options or ReadOptions()
    return replace(
        found,
        format=format or found.format,
        gaps="keep" if keep_zeros else found.gaps,
    )
