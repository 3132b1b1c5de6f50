"""`infadapter solve`: the operator's own decision for one demand, without a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from infadapter.floors import check_floor, floor_option
from infadapter.options import Running, budget, number_between, prices, running
from infadapter.plan_text import plan_json, plan_table
from infadapter.profiles import read_preset, read_profiles
from infadapter_profiles.files import ProfileFileError
from infadapter_solver import (
    CPU,
    Allocation,
    InvalidProblem,
    Method,
    NotMeasured,
    Objective,
    PodGroup,
    PodSize,
    Problem,
    Profile,
    Resources,
    Target,
    TooLarge,
    Variant,
    left_out,
    offered,
    to_variant,
)
from infadapter_solver import solve as find_plan

PRESETS = ("paper", "paper-raw")
INFEASIBLE = 3

WEIGHT = number_between(0, 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    profile: Path | None
    preset: str | None
    demand: float
    budget: Resources
    price: Mapping[str, float]
    accuracy_weight: float
    cost_weight: float
    loading_weight: float
    slo_ms: float
    percentile: float
    max_variants: int
    accuracy_floor: float
    running: tuple[Running, ...] | None
    method: Method
    format: str


@click.command("solve", context_settings={"max_content_width": 100})
@click.option("--profile", type=Path, help="A file of VariantProfile documents.", metavar="FILE")
@click.option(
    "--preset", type=click.Choice(PRESETS), help="The paper's five ResNets, instead of --profile."
)
@click.option("--demand", type=number_between(0, 1e9), required=True, metavar="RPS")
@click.option(
    "--budget",
    type=budget,
    default="20",
    show_default=True,
    help="Cores, or such as cpu=20,nvidia.com/gpu=2.",
)
@click.option(
    "--price",
    type=prices,
    default="cpu=1",
    show_default=True,
    help="Relative to a core, which costs 1: nvidia.com/gpu=12.",
)
@click.option("--accuracy-weight", type=WEIGHT, default=1.0, show_default=True)
@click.option(
    "--cost-weight",
    type=WEIGHT,
    default=0.05,
    show_default=True,
    help="Weight of cost: the accuracy that the whole budget is worth.",
)
@click.option(
    "--loading-weight",
    type=WEIGHT,
    default=0.0,
    show_default=True,
    help="Weight of the slowest variant's load time.",
)
@click.option("--slo-ms", type=number_between(0.001, 1e7), default=750.0, show_default=True)
@click.option("--percentile", type=number_between(1, 99.99), default=99.0, show_default=True)
@click.option("--max-variants", type=click.IntRange(1, 1000), default=16, show_default=True)
@floor_option
@click.option(
    "--running",
    type=running,
    help="Running pods: resnet50=8 (cores), or resnet50=3x2 (three pods of two).",
)
@click.option(
    "--method",
    type=click.Choice(["auto", "exact", "milp"]),
    default="auto",
    show_default=True,
)
@click.option("--format", type=click.Choice(["json", "table"]), default="json", show_default=True)
@click.pass_context
def solve(ctx: click.Context, /, **options: Any) -> None:
    """Pick variants, sizes and shares for one demand.

    Exit status 3: the budget can't serve the demand, and the plan is the best effort.

    \b
    Example, the paper's trade-off at 100 requests per second:
      infadapter solve --preset paper --demand 100 --format table
    """
    arguments = Arguments(**options)
    problem = _problem(arguments)
    try:
        plan = find_plan(problem, method=arguments.method)
    except InvalidProblem as error:
        raise click.UsageError(f"{error}.") from error
    except TooLarge as error:
        raise click.UsageError(f"{error}: use --method milp.") from error
    floor = arguments.accuracy_floor
    click.echo(plan_table(problem, plan, floor) if arguments.format == "table" else plan_json(plan))
    if not plan.feasible:
        served = f"{sum(plan.served_rps.values()):g} of {arguments.demand:g} rps"
        click.echo(f"infadapter: the budget serves {served}.", err=True)
        for variant, why in left_out(problem, floor).items():
            click.echo(f"infadapter: left out: {variant} {why}.", err=True)
        ctx.exit(INFEASIBLE)


def _problem(arguments: Arguments) -> Problem:
    profiles = _profiles(arguments)
    variants = tuple(_variant(profile, arguments) for profile in profiles)
    _check_prices(arguments.budget, arguments.price)
    check_floor(arguments.accuracy_floor, profiles)
    return Problem(
        variants=variants,
        demand_rps=arguments.demand,
        max_targets=arguments.max_variants,
        running=tuple(_pods(variants, running) for running in arguments.running or ()),
        max_pods_per_target=1 if arguments.preset else None,
        resize_loads=arguments.preset is not None,
        objective=Objective(
            budget=arguments.budget,
            prices=arguments.price,
            accuracy_weight=arguments.accuracy_weight,
            cost_weight=arguments.cost_weight,
            loading_weight=arguments.loading_weight,
        ),
    )


def _profiles(arguments: Arguments) -> tuple[Profile, ...]:
    if (arguments.profile is None) == (arguments.preset is None):
        raise click.UsageError("Give either --profile or --preset.")
    if arguments.preset:
        return read_preset(arguments.preset)
    try:
        return read_profiles(arguments.profile or Path())
    except ProfileFileError as error:
        raise click.UsageError(str(error)) from error


def _variant(profile: Profile, arguments: Arguments) -> Variant:
    offers = to_variant if arguments.preset else offered  # the paper's pods have whole cores
    slo_s, floor = arguments.slo_ms / 1000, arguments.accuracy_floor
    try:
        return offers(profile, slo_s, arguments.percentile, accuracy_floor=floor)
    except NotMeasured as error:
        raise click.UsageError(f"{profile.variant}: {error}.") from error


def _check_prices(budget: Resources, prices: Mapping[str, float]) -> None:
    for resource in budget:
        if resource != CPU and resource not in prices:
            raise click.UsageError(f"{resource} needs a price, such as --price {resource}=12.")
    for resource in prices:
        if resource != CPU and resource not in budget:
            raise click.UsageError(f"{resource} has a price and is not in the budget.")


def _pods(variants: tuple[Variant, ...], running: Running) -> PodGroup:
    known = [variant.name for variant in variants]
    if running.variant not in known:
        raise click.UsageError(
            f"--running names {running.variant}, which is none of {', '.join(known)}."
        )
    size = Allocation(size=PodSize(resources={CPU: running.cpu_millicores}), capacity_rps=0.0)
    return PodGroup(target=Target(running.variant), allocation=size, pods=running.pods)
