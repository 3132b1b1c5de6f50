"""`infadapter demo`: the whole loop on this machine, without a cluster."""

from pathlib import Path
from typing import Any

import click

from infadapter.traces import (
    Command,
    reading_options,
    trace_option,
    trace_options_of,
    with_options,
)
from infadapter_server.finite import Finite


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
@click.option("--no-baselines", is_flag=True, help="Skip the baselines.")
@click.option(
    "--no-full-budget", is_flag=True, help="Skip the fixed choice that the whole budget buys."
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
    from infadapter.demonstration import read, run  # a second of it: --help does without
    from infadapter_local.demo import Options

    asked = trace_options_of(reading)
    options = Options(
        trace=read(asked),
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
    run(options)
