"""`infadapter what-if`: what another SLO, budget or weight would have meant for a trace."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from infadapter.files import check_writable
from infadapter.options import number_between
from infadapter.simulated import arguments_of, trace_options, world_options

MOST_VALUES = 100
ENDINGS = ("html", "png", "svg")


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
    help="The SLO of 99 % of the requests.",
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
    help="Weight of cost: the accuracy that the whole budget is worth.",
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
    from infadapter.sweeps import run  # a second of it: --help does without

    run(arguments, grid, option, format=format, output=output)


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
