"""Common parts of the forecast commands: a trace as the rates of a service."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import click

from infadapter.traces import (
    Command,
    TraceOptions,
    part_options,
    say_trace,
    trace_of,
    trace_options_of,
    with_options,
)
from infadapter_workload.shaping import scaled
from infadapter_workload.trace import Array, Trace, TraceError

SEED = 0
"""Seed for dropping or duplicating requests when time stamps are scaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The selected part of a trace, as given."""

    trace: TraceOptions
    rate_scale: float
    from_s: int
    to_s: int | None


def history_options(command: Command) -> Command:
    return with_options(command, part_options(required=False, begin="Begin there."))


def source_of(options: dict[str, Any]) -> Source:
    """Take the source's options out of all options."""
    options["trace"] = trace_options_of(options)
    return Source(**{name: options.pop(name) for name in Source.__slots__})


class Known(NamedTuple):
    rates: Array  # rps
    before_s: int  # so many of them lie before the part
    began_s: int | None  # the first of them, since 1970


def rates_of(source: Source, known_s: int = 0) -> Known:
    """Return the part's rates, after up to `known_s` seconds before it."""
    try:
        trace = scaled(_trace(source), source.rate_scale, SEED)
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    end_s = trace.seconds if source.to_s is None else source.to_s
    if not source.from_s < end_s <= trace.seconds:
        raise click.UsageError(
            f"The trace {trace.name} lasts {trace.seconds} s; it has no part from "
            f"{source.from_s} s to {end_s} s: choose --from and --to."
        )
    say_trace(trace)
    before_s = min(known_s, source.from_s)
    first_s = source.from_s - before_s
    began_s = None if trace.began_s is None else trace.began_s + first_s
    return Known(trace.rates[first_s:end_s], before_s, began_s)


def _trace(source: Source) -> Trace:
    if not source.trace.trace:
        raise click.UsageError("Missing option '--trace': give a FILE, or synthetic:KIND[:SEED].")
    return trace_of(source.trace, source.to_s)
