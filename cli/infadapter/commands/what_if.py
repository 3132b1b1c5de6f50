"""`infadapter what-if`: what another SLO, budget or weight would have meant for a trace."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from infadapter.files import check_writable, replacing
from infadapter.floors import say_below_floor
from infadapter.options import number_between
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
from infadapter_simulator.compare.compare import Case, run
from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.report.sweep import Sweep, sweep_json, sweep_table
from infadapter_solver import CPU

MOST_VALUES = 100
ENDINGS = ("html", "png", "svg")

TITLES = {
    "slo-ms": ("SLO", "ms"),
    "budget": ("budget", "cores"),
    "cost-weight": ("cost weight", ""),
}
"""The options that may have several values: in words, and their unit."""


def several(least: float, most: float) -> Callable[[str], tuple[float, ...]]:
    """Numbers with commas, each once."""
    number = number_between(least, most)

    def numbers(text: str) -> tuple[float, ...]:
        found = tuple(dict.fromkeys(number(part.strip()) for part in text.split(",")))
        if len(found) > MOST_VALUES:
            raise click.BadParameter(f"{len(found)} values are too many: give {MOST_VALUES}.")
        return found

    return numbers


@click.command("what-if", context_settings={"max_content_width": 100})
@trace_options
@click.option(
    "--slo-ms",
    type=several(0.001, 1e7),
    metavar="NUMBER,…",
    default="750",
    show_default=True,
    help="For 99 % of the requests.",
)
@click.option(
    "--budget",
    type=several(0.001, 1e6),
    metavar="CORES,…",
    default="20",
    show_default=True,
    help="For all pods of a plan together.",
)
@click.option(
    "--cost-weight",
    type=several(0, 1e6),
    metavar="NUMBER,…",
    default="0.05",
    show_default=True,
    help="What the whole budget is worth in accuracy.",
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also draw it: a name that ends in .html, .png or .svg.",
)
@world_options
def what_if(
    slo_ms: tuple[float, ...],
    budget: tuple[float, ...],
    cost_weight: tuple[float, ...],
    format: str,
    output: Path | None,
    **options: Any,
) -> None:
    """Replay a trace against the operator's own loop, once for each value of one option.

    Give one of --slo-ms, --budget and --cost-weight several values, with commas. What happens to
    accuracy, cost and violations is printed, and drawn where --output says.

    \b
    Examples:
      infadapter what-if --trace requests.csv --slo-ms 500,750,1000,1500
      infadapter what-if --trace access.log --budget 10,15,20,30 --output budget.html
    """
    arguments = arguments_of(options)
    _check_output(output)
    grid = {"slo-ms": slo_ms, "budget": budget, "cost-weight": cost_weight}
    option = _varied(grid)
    with in_one_sentence():
        sweep = _swept(arguments, grid, option)
    click.echo(sweep_json(sweep) if format == "json" else sweep_table(sweep, terminal_width()))
    if output:
        _draw(sweep, output)


def _varied(grid: Mapping[str, tuple[float, ...]]) -> str:
    """The option with several values."""
    varied = [option for option, values in grid.items() if len(values) > 1]
    if len(varied) != 1:
        raise click.UsageError(
            f"Give several values to one of {', '.join(f'--{option}' for option in grid)}, "
            "such as --slo-ms 500,750,1000."
        )
    return varied[0]


def _check_output(output: Path | None) -> None:
    if output and output.suffix.lstrip(".") not in ENDINGS:
        raise click.UsageError(f"--output must end in .{', .'.join(ENDINGS)}, not {output.name}.")
    if output:
        check_writable(output)


def _swept(arguments: Arguments, grid: Mapping[str, tuple[float, ...]], option: str) -> Sweep:
    part, profiles = part_of(arguments), profiles_of(arguments)
    first = {name: values[0] for name, values in grid.items()}
    cases: dict[float, Case] = {}
    refused, notes = list[str](), list[str]()
    for value in grid[option]:
        aim = _aim({**first, option: value})
        try:
            scenario = scenario_of(arguments, profiles, aim, part.played().began_s)
        except click.UsageError as error:
            refused.append(f"--{option} {value:g}: {error.message}")
        else:
            cases[value] = Case(name=f"{value:g}", policy=OURS, scenario=scenario)
            if told := left_out_of(arguments, profiles, aim):
                notes.append(f"--{option} {value:g}: left out: {told}.")
    if not cases:
        raise click.UsageError(" ".join(refused))
    for sentence in refused + notes:  # the other values have a result
        click.echo(f"infadapter: {sentence}", err=True)
    say_part(part)
    say_below_floor(arguments.accuracy_floor, profiles)
    results, bounds = run(list(cases.values()), part, [arguments.seed], Progress())
    title, unit = TITLES[option]
    return Sweep(
        option=option,
        comparable=option == "slo-ms",
        title=title,
        unit=unit,
        accuracy_floor=arguments.accuracy_floor,
        values=tuple(cases),
        results=results,
        part=part,
        seeds=(arguments.seed,),
        bounds=bounds,
    )


def _aim(values: Mapping[str, float]) -> Aim:
    return Aim(
        slo_ms=values["slo-ms"],
        budget={CPU: round(1000 * values["budget"])},
        cost_weight=values["cost-weight"],
    )


def _draw(sweep: Sweep, output: Path) -> None:
    if output.suffix == ".html":
        from infadapter_simulator.report.html import sweep_page

        with replacing(output) as beside:
            beside.write_text(sweep_page(sweep), encoding="utf-8")
    else:
        from infadapter_simulator.report.pictures import save
        from infadapter_simulator.report.sweep_plot import sweep_plot

        save(sweep_plot(sweep), output)
    click.echo(f"The picture is {output}", err=True)
