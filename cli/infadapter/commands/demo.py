"""`infadapter demo`: the whole loop on this machine, without a cluster."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from infadapter.traces import (
    Command,
    TraceOptions,
    reading_options,
    say_trace,
    trace_of,
    trace_option,
    trace_options_of,
    with_options,
)
from infadapter_local.demo import NoSpeed, Options
from infadapter_local.demo import demo as run_demo
from infadapter_local.processes import ProcessFailed
from infadapter_local.run import RunFailed
from infadapter_local.spec import NothingFits
from infadapter_local.view import View
from infadapter_server.finite import Finite
from infadapter_server.profiling.profiler import ProfileError
from infadapter_workload.trace import Trace, TraceError

INTERRUPTED = 130


def demo_trace_options(command: Command) -> Command:
    default = "  [default: a burst]"
    return with_options(
        command, (trace_option(required=False, default=default), *reading_options())
    )


@click.command("demo", context_settings={"max_content_width": 100})
@demo_trace_options
@click.option(
    "--duration",
    type=Finite(10, 3600),
    default=60.0,
    show_default=True,
    help="Seconds to play the whole trace in.",
)
@click.option(
    "--scale",
    type=Finite(min=0, min_open=True),
    help="Multiply the trace's rates.  [default: so that its peak fits this machine]",
)
@click.option(
    "--budget",
    type=Finite(0.2, 64),
    help="Cores that a plan may use.  [default: 0.8; all, where CPU has no quotas]",
)
@click.option("--no-baselines", is_flag=True, help="Only our loop, not what it is compared with.")
@click.option(
    "--no-full-budget", is_flag=True, help="Without the fixed choice that the whole budget buys."
)
@click.option(
    "--resized-single",
    is_flag=True,
    help="Also the single variant with its size chosen by our loop.",
)
@click.option(
    "--no-grouped",
    is_flag=True,
    help="Without the same loop on pods that hold all networks, and choose one for each batch.",
)
@click.option(
    "--speed",
    type=Finite(0.1, 4),
    default=1.0,
    show_default=True,
    help="Serve as on a machine so many times as fast as this one, calibration and starts too.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-report"),
    show_default=True,
    help="The folder for report.html, report.json and logs.",
)
def demo(
    duration: float,
    scale: float | None,
    budget: float | None,
    no_baselines: bool,
    no_full_budget: bool,
    resized_single: bool,
    no_grouped: bool,
    speed: float,
    seed: int,
    out: Path,
    **reading: Any,
) -> None:
    """Serve a trace with real model servers on this machine, and let the loop adapt them.

    Five variants of one model run as processes with CPU limits behind a real router. The same
    arrivals are then served by the best single variant, by a fixed choice, and by pods that hold
    all five networks and choose one for each batch. Ctrl-C ends all.
    """
    asked = trace_options_of(reading)
    options = Options(
        trace=_read(asked),
        trace_name=Path(asked.trace[0]).name if asked.trace else Options().trace_name,
        duration_s=duration,
        scale=scale,
        out=out,
        baselines=not no_baselines,
        full_budget=not no_full_budget,
        resized_single=resized_single,
        grouped=not no_grouped,
        speed=speed,
        seed=seed,
        budget_millicores=None if budget is None else round(1000 * budget),
    )
    console = Console()
    page = _played(options, console)
    console.print(f"The report is {page}", highlight=False)


def _read(options: TraceOptions) -> Trace | None:
    """None for the burst. Unless it is said otherwise, silence is played."""
    if not options.trace:
        return None
    keep = options.trace_gaps is None
    try:
        trace = trace_of(replace(options, trace_gaps="keep") if keep else options)
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    say_trace(trace)
    return trace


def _played(options: Options, console: Console) -> Path:
    """The page of the report; what goes wrong ends the command with a sentence."""
    try:
        return asyncio.run(_run(options, console))
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    except (NoSpeed, NothingFits, ProfileError, ProcessFailed, RunFailed) as error:
        raise click.ClickException(str(error)) from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Interrupted; all processes have ended, and there is no report.")
        raise SystemExit(INTERRUPTED) from None


async def _run(options: Options, console: Console) -> Path:
    with View(console) as view:
        return await run_demo(options, view)
