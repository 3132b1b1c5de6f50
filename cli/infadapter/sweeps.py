"""
Implementation of `infadapter what-if` after its arguments are parsed: run each value, and show.
"""

from collections.abc import Mapping
from pathlib import Path

import click

from infadapter.files import replacing
from infadapter.floors import say_below_floor
from infadapter.parts import part_of, say_part
from infadapter.progress import Progress, in_one_sentence
from infadapter.scenarios import Aim, left_out_of, profiles_of, scenario_of
from infadapter.simulated import Arguments
from infadapter.terminal import terminal_width
from infadapter_simulator.compare.compare import Case
from infadapter_simulator.compare.compare import run as simulated
from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.report.sweep import Sweep, sweep_json, sweep_table
from infadapter_solver import CPU

Grid = Mapping[str, tuple[float, ...]]
"""The options that may have several values, with the values."""

TITLES = {
    "slo-ms": ("SLO", "ms"),
    "budget": ("budget", "cores"),
    "cost-weight": ("cost weight", ""),
}
"""The options in words, with their units."""


def run(arguments: Arguments, grid: Grid, option: str, *, format: str, output: Path | None) -> None:
    """Run each value of `option`. Raises UsageError if none can be run."""
    with in_one_sentence():
        sweep = _swept(arguments, grid, option)
    click.echo(sweep_json(sweep) if format == "json" else sweep_table(sweep, terminal_width()))
    if output:
        _draw(sweep, output)


def _swept(arguments: Arguments, grid: Grid, option: str) -> Sweep:
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
    results, bounds = simulated(list(cases.values()), part, [arguments.seed], Progress())
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
