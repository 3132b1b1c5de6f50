"""Options shared by the commands that simulate; importing them imports no simulation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from infadapter.calendars import calendar_options
from infadapter.floors import floor_option
from infadapter.options import budget, number_between, prices
from infadapter.traces import (
    Command,
    TraceOptions,
    part_options,
    trace_options_of,
    with_options,
)
from infadapter_operator.domain.service import ForecastMethod
from infadapter_simulator.scenario import Server, Speed
from infadapter_solver import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The arguments of any simulation, as given."""

    trace: TraceOptions
    rate_scale: float
    from_s: int
    to_s: int | None
    profile: Path | None
    accuracy_floor: float
    price: Mapping[str, float]
    loading_weight: float
    server: str
    speed: str
    sigma: float
    random_weights: bool
    failures_per_pod_hour: float
    max_surge: Resources | None
    forecast: str
    season: str
    time_zone: str
    seed: int


def trace_options(command: Command) -> Command:
    return with_options(command, _TRACE_OPTIONS)


def world_options(command: Command) -> Command:
    return with_options(command, _WORLD_OPTIONS)


_TRACE_OPTIONS = (
    *part_options(required=True, begin="Begin there; every policy has seen what is before."),
    click.option(
        "--profile", type=Path, metavar="FILE", help="A file of VariantProfile documents."
    ),
    click.option(
        "--preset",
        type=click.Choice(["paper"]),
        help="The paper's five ResNets.  [default, without --profile]",
    ),
)

_WORLD_OPTIONS = (
    floor_option,
    click.option(
        "--max-surge",
        type=budget,
        metavar="CORES",
        help="What ours may hold beyond the budget, and only while pods start or are replaced; 0 "
        "is allowed.  [default: as much as the budget]",
    ),
    click.option(
        "--forecast",
        type=click.Choice([str(each) for each in ForecastMethod]),
        default=str(ForecastMethod.AUTO),
        show_default=True,
        help="Our policy's forecaster.",
    ),
    *calendar_options(),
    click.option(
        "--price",
        type=prices,
        default="cpu=1",
        metavar="NAME=NUMBER,…",
        help="Relative to a core, which costs 1: nvidia.com/gpu=12.",
    ),
    click.option(
        "--loading-weight",
        type=number_between(0, 1e6),
        metavar="NUMBER",
        default="0.001",
        show_default=True,
        help="Weight of the slowest variant's load time.",
    ),
    click.option(
        "--server",
        type=click.Choice([str(each) for each in Server]),
        default=str(Server.SAME),
        show_default=True,
        help="Pods refuse at once what would be late, or do what each policy's own server does.",
    ),
    click.option(
        "--speed",
        type=click.Choice([str(each) for each in Speed]),
        default=str(Speed.MEASURED),
        show_default=True,
        help="A pod's rate at full load: the larger of saturation and capacity, or the former.",
    ),
    click.option(
        "--sigma",
        type=number_between(0, 3),
        metavar="NUMBER",
        default="0",
        help="Of the lognormal that service times are multiplied by.",
    ),
    click.option("--random-weights", is_flag=True, help="Route at random, as an HTTPRoute does."),
    click.option(
        "--failures-per-pod-hour",
        type=number_between(0, 3600),
        metavar="NUMBER",
        default="0",
        help="Container crashes per pod and hour; each restarts.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**31),
        metavar="NUMBER",
        default=0,
        show_default=True,
        help="Seed of the arrivals and all other randomness.",
    ),
)


def arguments_of(options: dict[str, Any]) -> Arguments:
    """Take the simulation's options out of all options."""
    if options.pop("preset") and options["profile"]:
        raise click.UsageError("Give either --profile or --preset.")
    options["trace"] = trace_options_of(options)
    return Arguments(**{name: options.pop(name) for name in Arguments.__slots__})
