"""The simulated part of a trace: read, scaled, and described."""

import click

from infadapter.simulated import Arguments
from infadapter.traces import say_trace, trace_of
from infadapter_simulator.part import Part
from infadapter_workload.shaping import scaled
from infadapter_workload.trace import TraceError


def part_of(arguments: Arguments) -> Part:
    try:
        whole = trace_of(arguments.trace, arguments.to_s)
        trace = scaled(whole, arguments.rate_scale, arguments.seed)
        to_s = trace.seconds if arguments.to_s is None else arguments.to_s
        part = Part(trace=trace, from_s=arguments.from_s, to_s=to_s)
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    if not part.played().requests:
        raise click.UsageError("This part of the trace has no requests: choose --from and --to.")
    return part


def say_part(part: Part) -> None:
    """Print which load is played."""
    played = part.played()
    whole = part.from_s == 0 and part.to_s == part.trace.seconds
    say_trace(
        part.trace,
        ""
        if whole
        else f"played: {part.from_s:,} s to {part.to_s:,} s, mean {played.mean_rps:,.4g} rps, peak "
        f"{played.peak_rps:,.4g} rps",
    )
