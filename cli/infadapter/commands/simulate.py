"""`infadapter simulate`: policies on a trace, in virtual time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from infadapter.files import check_writable, replacing
from infadapter.floors import say_below_floor
from infadapter.options import budget, number_between
from infadapter.progress import Progress, in_one_sentence
from infadapter.scenarios import Aim, left_out_of, profiles_of, scenario_of
from infadapter.simulated import (
    Arguments,
    arguments_of,
    part_of,
    say_part,
    trace_options,
    world_options,
)
from infadapter.terminal import terminal_width
from infadapter_simulator.compare.compare import compare
from infadapter_simulator.compare.naming import UnknownPolicy, named
from infadapter_simulator.compare.results import Comparison
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario
from infadapter_solver import CPU, Profile, Resources

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
    help="For 99 % of the requests.",
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
    help="What the whole budget is worth in accuracy.",
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
    help="Without the best schedule, which takes the longest.",
)
@click.option(
    "--format", type=click.Choice(["table", "json", "html"]), default="table", show_default=True
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Where html goes.  [default: {PAGE}]",
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

    All meet the same arrivals, pods, router and budget, in virtual time: an hour takes seconds.
    What is before --from, every policy has seen as history.

    \b
    Examples:
      infadapter simulate --trace requests.csv
      infadapter simulate --trace access.log --rate-scale 0.5 --slo-ms 500 --budget 12 --format html
      infadapter simulate --trace synthetic:bursty:1 --policies infadapter,kpa-resnet50 --seeds 5
      infadapter simulate --trace requests.csv --policies infadapter,infadapter-grouped
    """
    arguments = arguments_of(options)
    page = _page(output, format)
    part, profiles = part_of(arguments), profiles_of(arguments)
    _check_size(budget)
    aim = Aim(slo_ms=slo_ms, budget=budget, cost_weight=cost_weight)
    scenario = scenario_of(arguments, profiles, aim, part.played().began_s)
    names = _named(policies, scenario, part)
    say_part(part)
    _say_left_out(arguments, profiles, aim)
    numbers = range(arguments.seed, arguments.seed + seeds)
    comparison = _compared(
        scenario, names, part, numbers, regret=not no_regret, page=format == "html"
    )
    _show(comparison, format, page)


def _check_size(budget: Resources) -> None:
    if budget.get(CPU, 0) > 1000 * MOST_CORES:
        raise click.UsageError(f"--budget: at most {MOST_CORES:,} cores are simulated.")


def _page(output: Path | None, format: str) -> Path:
    """Where html goes. Raises UsageError where it can't, or something else is asked for."""
    page = output or PAGE
    if output and format != "html":
        raise click.UsageError("--output is for --format html; a table and json go to stdout.")
    if format == "html":
        check_writable(page)
    return page


def _say_left_out(arguments: Arguments, profiles: tuple[Profile, ...], aim: Aim) -> None:
    say_below_floor(arguments.accuracy_floor, profiles)
    if told := left_out_of(arguments, profiles, aim):
        click.echo(f"infadapter: left out: {told}.", err=True)


def _named(text: str | None, scenario: Scenario, part: Part) -> Sequence[str]:
    try:
        return named(text, scenario, part.peak_rps())
    except UnknownPolicy as error:
        raise click.UsageError(str(error)) from error


def _compared(
    scenario: Scenario, names: Sequence[str], part: Part, seeds: range, *, regret: bool, page: bool
) -> Comparison:
    """A page shows what happened over time too."""
    with in_one_sentence():
        return compare(
            scenario, names, part, seeds, Progress(), with_regret=regret, with_series=page
        )


def _show(comparison: Comparison, format: str, page: Path) -> None:
    if format == "html":
        from infadapter_simulator.report.html import as_page

        with replacing(page) as beside:
            beside.write_text(as_page(comparison), encoding="utf-8")
        click.echo(f"The report is {page}")
    elif format == "json":
        from infadapter_simulator.report.facts import as_json

        click.echo(as_json(comparison))
    else:
        from infadapter_simulator.report.table import as_table

        click.echo(as_table(comparison, terminal_width()))
