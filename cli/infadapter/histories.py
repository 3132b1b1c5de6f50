"""What the commands about forecasts have in common: a trace as the rates of a service."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from infadapter.options import at_least
from infadapter_simulator.traces.reading import read_trace
from infadapter_simulator.traces.shaping import scaled
from infadapter_simulator.traces.synthetic import parse_synthetic
from infadapter_simulator.traces.trace import Array, Trace, TraceError

Command = TypeVar("Command", bound=Callable[..., Any])

SEED = 0
"""Of the requests that are dropped or doubled where time stamps are scaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The part of a trace that is meant, as it was given."""

    trace: str | None
    trace_format: str | None
    keep_zeros: bool
    rate_scale: float
    from_s: int
    to_s: int | None


def history_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--trace",
        metavar="FILE",
        help="Requests per second, time stamps, an access log, … or synthetic:KIND[:SEED].",
    ),
    click.option("--trace-format", metavar="FORMAT", help="Where it is not recognised."),
    click.option("--keep-zeros", is_flag=True, help="Long silence is load, not a gap."),
    click.option(
        "--rate-scale",
        type=at_least(1e-6, 1e6),
        metavar="NUMBER",
        default="1",
        show_default=True,
        help="Multiplies the trace's rates.",
    ),
    click.option(
        "--from",
        "from_s",
        type=click.IntRange(min=0),
        metavar="SECOND",
        default=0,
        help="Begin there.",
    ),
    click.option(
        "--to", "to_s", type=click.IntRange(min=1), metavar="SECOND", help="End before it."
    ),
)


def source_of(options: dict[str, Any]) -> Source:
    """Takes its own out of the options."""
    return Source(**{name: options.pop(name) for name in Source.__slots__})


def rates_of(source: Source, known_s: int = 0) -> tuple[Array, int]:
    """The part's rates in rps, after up to `known_s` seconds before it, and how many these are."""
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
    before_s = min(known_s, source.from_s)
    return trace.rates[source.from_s - before_s : end_s], before_s


def _trace(source: Source) -> Trace:
    if source.trace is None:
        raise click.UsageError("Missing option '--trace': give a FILE, or synthetic:KIND[:SEED].")
    found = parse_synthetic(source.trace)
    if found:
        return found
    return read_trace(Path(source.trace), source.keep_zeros, source.trace_format)
