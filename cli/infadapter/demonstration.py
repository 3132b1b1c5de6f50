"""
Implementation of `infadapter demo` after its arguments are parsed: the trace, the run, its end.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from infadapter.traces import TraceOptions, say_trace, trace_of
from infadapter_local.demo import NoSpeed, Options, demo
from infadapter_local.processes import ProcessFailed
from infadapter_local.run import RunFailed
from infadapter_local.spec import NothingFits
from infadapter_local.view import View
from infadapter_server.profiling.profiler import ProfileError
from infadapter_workload.trace import Trace, TraceError

INTERRUPTED = 130


def read(options: TraceOptions) -> Trace | None:
    """
    Return the trace, or None for the generated burst. Silence is played unless specified otherwise.
    """
    if not options.trace:
        return None
    keep = options.trace_gaps is None
    try:
        trace = trace_of(replace(options, trace_gaps="keep") if keep else options)
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    say_trace(trace)
    return trace


def run(options: Options) -> None:
    console = Console()
    page = _played(options, console)
    console.print(f"The report is {page}", highlight=False)


def _played(options: Options, console: Console) -> Path:
    """Run the demo and return the report's page; an error ends the command with a sentence."""
    try:
        return asyncio.run(_demonstrated(options, console))
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    except (NoSpeed, NothingFits, ProfileError, ProcessFailed, RunFailed) as error:
        raise click.ClickException(str(error)) from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Interrupted; all processes have ended, and there is no report.")
        raise SystemExit(INTERRUPTED) from None


async def _demonstrated(options: Options, console: Console) -> Path:
    with View(console) as view:
        return await demo(options, view)
