"""`infadapter simulate`: policies on a trace, in virtual time."""

from pathlib import Path
from typing import Any

import click

from infadapter.files import check_writable
from infadapter.options import budget, number_between
from infadapter.simulated import arguments_of, trace_options, world_options
from infadapter_solver import CPU, Resources

PAGE = Path("report.html")

MOST_CORES = 10_000
"""Each number of cores is looked at in turn: a million take minutes."""


@click.command("simulate", context_settings={"max_content_width": 100})
@trace_options
@click.option(
    "--slo-ms",
    type=number_between(0.001, 1e7),
    metavar="NUMBER",
    default="750",
    show_default=True,
    help="The SLO of 99 % of the requests.",
)
@click.option(
    "--budget",
    type=budget,
    metavar="CORES",
    default="20",
    show_default=True,
    help="Cores, or such as cpu=20,nvidia.com/gpu=2.",
)
@click.option(
    "--cost-weight",
    type=number_between(0, 1e6),
    metavar="NUMBER",
    default="0.05",
    show_default=True,
    help="Weight of cost: the accuracy that the whole budget is worth.",
)
@click.option(
    "--policies",
    metavar="NAME,…",
    help="Such as infadapter,vpa-resnet50,fixed-resnet18-8; all.  [default: a handful]",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    default=1,
    show_default=True,
    help="How many, from --seed on: means and 95 % intervals.",
)
@click.option(
    "--no-regret",
    is_flag=True,
    help="Skip the best schedule, which takes the longest.",
)
@click.option(
    "--format", type=click.Choice(["table", "json", "html"]), default="table", show_default=True
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file for html.  [default: {PAGE}]",
)
@world_options
def simulate(
    slo_ms: float,
    budget: dict[str, int],
    cost_weight: float,
    policies: str | None,
    seeds: int,
    no_regret: bool,
    format: str,
    output: Path | None,
    **options: Any,
) -> None:
    """Replay a trace against the operator's own loop, and against other autoscalers.

    All get the same arrivals, pods, router and budget, in virtual time: an hour takes seconds.
    The trace before --from is every policy's history.

    \b
    Examples:
      infadapter simulate --trace requests.csv
      infadapter simulate --trace access.log --rate-scale 0.5 --slo-ms 500 --budget 12 --format html
      infadapter simulate --trace synthetic:bursty:1 --policies infadapter,kpa-resnet50 --seeds 5
      infadapter simulate --trace requests.csv --policies infadapter,infadapter-grouped
    """
    from infadapter.comparing import run  # a second of it: --help does without
    from infadapter.scenarios import Aim

    _check_size(budget)
    run(
        arguments_of(options),
        Aim(slo_ms=slo_ms, budget=budget, cost_weight=cost_weight),
        policies=policies,
        seeds=seeds,
        regret=not no_regret,
        format=format,
        page=_page(output, format),
    )


def _check_size(budget: Resources) -> None:
    if budget.get(CPU, 0) > 1000 * MOST_CORES:
        raise click.UsageError(f"--budget: at most {MOST_CORES:,} cores are simulated.")


def _page(output: Path | None, format: str) -> Path:
    """Return the file for html. Raises UsageError if it can't be written, or for another format."""
    page = output or PAGE
    if output and format != "html":
        raise click.UsageError("--output is for --format html; a table and json go to stdout.")
    if format == "html":
        check_writable(page)
    return page
