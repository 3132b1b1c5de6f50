"""Calibration: a short measurement of each of the demo's variants on this machine."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.measure import SIZES, Server, running, variant_words
from infadapter_local.pods import Start
from infadapter_local.rates import ROUNDS, OnStep, Place, believed, flooded
from infadapter_local.rescaling import Check, rescaled
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_server.profiling.profiler import Load
from infadapter_solver.problem import CPU

_CHECK_SIZES = (300, 600)  # millicores; the largest available size is added


def checked_sizes(limits: Quotas | Cores) -> tuple[int, ...]:
    """
    Return the sizes to measure: small, medium and the largest that a pod can have here. Profiles of
    another machine have been a third too high between 300m and 1000m.
    """
    had = [size for size in SIZES if limits.has(size)]
    return tuple(size for size in had if size in (*_CHECK_SIZES, had[-1]))


def smaller_sizes(limits: Quotas | Cores) -> tuple[int, ...]:
    """
    Return the sizes that are extrapolated from the smallest measured one, and then checked. A flood
    at the quota of a few milliseconds a period takes seconds and varies too much.
    """
    return tuple(size for size in SIZES if limits.has(size) and size < checked_sizes(limits)[0])


def steps(profiles: Sequence[Profile], limits: Quotas | Cores) -> int:
    """Return how many steps `check_variants` reports at most."""
    measured = len(_rows(profiles, checked_sizes(limits)))
    smaller = len(_rows(profiles, smaller_sizes(limits)))
    return len(profiles) + measured * (ROUNDS + 1) + smaller


def _rows(
    profiles: Sequence[Profile], sizes: Sequence[int]
) -> list[tuple[str, ProfiledAllocation]]:
    """Return the variants' profile rows at these sizes."""
    return [
        (profile.variant, row)
        for profile in profiles
        for row in profile.allocations
        if row.resources[CPU] in sizes
    ]


async def check_variants(
    start: Start, profiles: Sequence[Profile], on_step: OnStep, limits: Quotas | Cores
) -> dict[str, Check]:
    """
    Measure each variant at a few sizes, and its start time at the smallest, since a start on a
    whole core is several times shorter than on the size of most pods. Raises ProfileError or
    OSError.
    """
    sizes, servers = checked_sizes(limits), {}
    async with AsyncExitStack() as stack:
        for variant in (profile.variant for profile in profiles):
            on_step(f"{variant} starts")
            up = running(start, variant, variant_words(variant), sizes[0])
            servers[variant] = await stack.enter_async_context(up)

        def places(wanted: Sequence[int]) -> list[Place]:
            return [
                Place(variant, row, partial(_sized, servers[variant], row.resources[CPU], limits))
                for variant, row in _rows(profiles, wanted)
            ]

        rates = await believed(await flooded(places(sizes), on_step), on_step)
        smaller = extrapolated(profiles, rates, places(smaller_sizes(limits)))
        rates |= await believed(smaller, on_step)
    return {variant: _check(server.load_s, variant, rates) for variant, server in servers.items()}


def _check(load_s: float, variant: str, rates: Mapping[Place, float]) -> Check:
    return Check(load_s, {p.millicores: rps for p, rps in rates.items() if p.variant == variant})


def extrapolated(
    profiles: Sequence[Profile], rates: Mapping[Place, float], smaller: Sequence[Place]
) -> dict[Place, float]:
    """
    Return the saturation rates of smaller sizes by those that were measured, without sizes that
    this machine is too slow for.
    """
    expected = {
        (profile.variant, row.resources[CPU]): row.saturation_rps or 0.0
        for profile in profiles
        for row in rescaled(profile, _check(0.0, profile.variant, rates)).allocations
    }
    found = {place: expected.get((place.variant, place.millicores)) for place in smaller}
    return {place: rps for place, rps in found.items() if rps is not None}


async def _sized(server: Server, millicores: int, limits: Quotas | Cores) -> Load:
    if limits.resizable:
        await server.resize(millicores)
    return server.load
