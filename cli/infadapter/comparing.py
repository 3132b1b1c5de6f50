"""Implementation of `infadapter simulate` after its arguments are parsed: run, compare and show."""

from collections.abc import Sequence
from pathlib import Path

import click

from infadapter.files import replacing
from infadapter.floors import say_below_floor
from infadapter.parts import part_of, say_part
from infadapter.progress import Progress, in_one_sentence
from infadapter.scenarios import Aim, left_out_of, profiles_of, scenario_of
from infadapter.simulated import Arguments
from infadapter.terminal import terminal_width
from infadapter_simulator.compare.compare import compare
from infadapter_simulator.compare.naming import UnknownPolicy, named
from infadapter_simulator.compare.results import Comparison
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario
from infadapter_solver import Profile


def run(
    arguments: Arguments,
    aim: Aim,
    *,
    policies: str | None,
    seeds: int,
    regret: bool,
    format: str,
    page: Path,
) -> None:
    """
    Run the comparison; `page` is the HTML file. Raises UsageError for arguments that do not fit.
    """
    part, profiles = part_of(arguments), profiles_of(arguments)
    scenario = scenario_of(arguments, profiles, aim, part.played().began_s)
    names = _named(policies, scenario, part)
    say_part(part)
    _say_left_out(arguments, profiles, aim)
    numbers = range(arguments.seed, arguments.seed + seeds)
    comparison = _compared(scenario, names, part, numbers, regret=regret, page=format == "html")
    _show(comparison, format, page)


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
    """Return the comparison, with time series if a page is written."""
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
