"""Build the simulator's scenario from profiles and arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import click

from infadapter.calendars import calendar_of
from infadapter.floors import check_floor
from infadapter.profiles import read_preset, read_profiles
from infadapter.simulated import Arguments
from infadapter_operator.domain.service import ForecastMethod
from infadapter_profiles.files import ProfileFileError
from infadapter_simulator.scenario import Scenario, Server, Speed, speeds_of
from infadapter_solver import (
    CPU,
    NotMeasured,
    Objective,
    Problem,
    Profile,
    Resources,
    Variant,
    left_out,
    offered,
    to_variant,
)

PERCENTILE = 99.0
PAPER_MILLICORES = 2000
"""Smallest pod of the paper, millicores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """The trade-off that a user may want to vary."""

    slo_ms: float
    budget: Resources
    cost_weight: float


def profiles_of(arguments: Arguments) -> tuple[Profile, ...]:
    """
    Return all variants' profiles, also below the accuracy floor, of which at least one is above it.
    """
    try:
        profiles = (
            read_preset("paper-raw")
            if arguments.profile is None
            else read_profiles(arguments.profile)
        )
    except ProfileFileError as error:
        raise click.UsageError(str(error)) from error
    check_floor(arguments.accuracy_floor, profiles)
    return profiles


def scenario_of(
    arguments: Arguments, profiles: tuple[Profile, ...], aim: Aim, began_s: int | None = None
) -> Scenario:
    """Return the scenario; `began_s` is the start of the played part, since 1970."""
    check_prices(aim.budget, arguments.price)
    floor = arguments.accuracy_floor
    measured = _measured(arguments, profiles, aim)
    variants = _with_pods(arguments, measured, aim)
    if reason := _unservable(variants):
        lower = ", or lower --accuracy-floor" if floor else ""
        without = left_out_of(arguments, profiles, aim)
        raise click.UsageError(f"{reason}{lower}. Left out: {without}.")
    names = {variant.name for variant in variants}
    return Scenario(
        variants=variants,
        speeds=speeds_of(profiles, measured, Speed(arguments.speed)),
        slo_s=aim.slo_ms / 1000,
        percentile=PERCENTILE,
        forecast=ForecastMethod(arguments.forecast),
        calendar=calendar_of(arguments.season, arguments.time_zone, began_s),
        max_surge=arguments.max_surge,
        accuracy_floor=floor,
        profiles={p.variant: _from(floor, p) for p in profiles if p.variant in names},
        server=Server(arguments.server),
        service_sigma=arguments.sigma,
        weighs_at_random=arguments.random_weights,
        failures_per_pod_hour=arguments.failures_per_pod_hour,
        objective=Objective(
            budget=aim.budget,
            prices=arguments.price,
            cost_weight=aim.cost_weight,
            loading_weight=arguments.loading_weight,
        ),
    )


def _with_pods(
    arguments: Arguments, measured: tuple[Variant, ...], aim: Aim
) -> tuple[Variant, ...]:
    """Return the variants that can have a pod, with the sizes that fit into the budget."""
    fitting = (_fitting(variant, aim.budget) for variant in _sized(arguments, measured))
    return tuple(variant for variant in fitting if variant.allocations)


def _unservable(variants: tuple[Variant, ...]) -> str | None:
    """Return why nothing can be served and what to do, or None."""
    if not variants:
        return "No size of any variant fits into --budget: give more"
    if not any(a.capacity_rps > 0 for v in variants for a in v.allocations):
        return "No size of any variant that fits into --budget meets --slo-ms: allow more of either"
    return None


def left_out_of(arguments: Arguments, profiles: tuple[Profile, ...], aim: Aim) -> str:
    """Return which variants can have no pod and why, not counting those below the floor."""
    sized = _sized(arguments, _measured(arguments, profiles, aim))
    floor = arguments.accuracy_floor
    problem = Problem(
        variants=tuple(variant for variant in sized if variant.accuracy >= floor),
        demand_rps=0.0,
        objective=Objective(budget=aim.budget),
    )
    return "; ".join(f"{variant} {why}" for variant, why in left_out(problem, floor).items())


def _measured(arguments: Arguments, profiles: tuple[Profile, ...], aim: Aim) -> tuple[Variant, ...]:
    offers = offered if arguments.profile else to_variant  # the paper's pods have whole cores
    offers = partial(offers, accuracy_floor=arguments.accuracy_floor)
    return tuple(_variant(profile, aim, offers) for profile in profiles)


def _sized(arguments: Arguments, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    least = 0 if arguments.profile else PAPER_MILLICORES
    return tuple(_at_least(variant, least) for variant in variants)


def check_prices(budget: Resources, prices: Mapping[str, float]) -> None:
    for resource in budget:
        if resource != CPU and resource not in prices:
            raise click.UsageError(f"{resource} needs a price, such as --price {resource}=12.")


def _variant(
    profile: Profile, aim: Aim, offers: Callable[[Profile, float, float], Variant]
) -> Variant:
    try:
        return offers(profile, aim.slo_ms / 1000, PERCENTILE)
    except NotMeasured as error:
        raise click.UsageError(f"{profile.variant}: {error}.") from error


def _from(floor: float, profile: Profile) -> Profile:
    """Return the profile without operating points below the floor."""
    kept = tuple(point for point in profile.operating_points if point.accuracy >= floor)
    names = {point.name for point in kept} if profile.operating_points else {None}
    rows = tuple(row for row in profile.allocations if row.operating_point in names)
    return replace(profile, operating_points=kept, allocations=rows)


def _at_least(variant: Variant, millicores: int) -> Variant:
    large = (a for a in variant.allocations if a.cpu_millicores >= millicores)
    return replace(variant, allocations=tuple(large))


def _fitting(variant: Variant, budget: Resources) -> Variant:
    """Return the variant with the sizes that fit into the budget."""
    fitting = (
        a
        for a in variant.allocations
        if all(amount <= budget.get(name, 0) for name, amount in a.resources.items())
    )
    return replace(variant, allocations=tuple(fitting))
