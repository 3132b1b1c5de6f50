"""
Rescales the profiles that ship to the machine of whoever runs the demo, by a short look at each.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.measure import (
    BATCH_SIZE,
    SETTLE_S,
    SIZES,
    OnStep,
    running,
    variant_words,
)
from infadapter_local.pods import Start
from infadapter_local.spec import HEADROOM, PERCENTILE, SLO_S
from infadapter_profiles.capacity import capacity_at
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_server.profiling.profiler import Load, measure_saturation
from infadapter_solver.problem import CPU

_CHECK_SIZES = (300, 600)  # millicores; and the largest there is
_CHECK_S = 3.0
_SHARES = (1.0, 1.0, 0.8, 0.64, 0.5)  # the first look may be what was disturbed
_IN_TIME = 0.97  # of a few hundred requests; the percentile itself would take thousands
_BACKLOG = 10_000  # requests: what is late is answered by a refusal
_NEAR = 0.8  # of a measured size, what calibration may take for it: it varies by about as much


@dataclass(frozen=True, slots=True)
class Check:
    """What a short look found of a variant on this machine."""

    load_s: float
    saturation_rps: Mapping[int, float]  # by millicores


def checked_sizes(limits: Quotas | Cores) -> tuple[int, ...]:
    """
    Small, middle and the largest that a pod can have here, of the sizes in the profiles. Between
    300m and 1000m, profiles of one machine have been a third too high on another.
    """
    had = [size for size in SIZES if limits.has(size)]
    return tuple(size for size in had if size in (*_CHECK_SIZES, had[-1]))


async def check_variant(
    start: Start, profile: Profile, on_step: OnStep, limits: Quotas | Cores
) -> Check:
    """
    Look at a few sizes, and at how long a start takes on the smallest: on a whole core it is
    several times as short as on what most pods have. Raises ProfileError or OSError.
    """
    variant, sizes = profile.variant, checked_sizes(limits)
    rows = {a.resources[CPU]: a for a in profile.allocations}
    saturation = {}
    async with running(start, variant, variant_words(variant), sizes[0]) as server:
        for millicores in (size for size in sizes if size in rows):
            on_step(f"{variant} on {millicores}m", 2 * _CHECK_S + SETTLE_S)
            if limits.resizable:
                server.child.set_quota(millicores)
                await asyncio.sleep(SETTLE_S)
            flood_rps = await measure_saturation(server.load, seconds=_CHECK_S)
            saturation[millicores] = await in_time_rps(server.load, rows[millicores], flood_rps)
    return Check(server.load_s, saturation)


async def in_time_rps(load: Load, row: ProfiledAllocation, flood_rps: float) -> float:
    """
    The saturation that is believed: as much less than the flood's as it takes for a pod to serve
    in time what is planned for it. A flood fills batches that take longer than the SLO allows
    where a machine is slow, and counts what it answers late. Raises ProfileError.
    """
    for share in _SHARES:
        believed = rescaled_row(row, share * flood_rps)
        planned_rps = capacity_at(believed, SLO_S, PERCENTILE, HEADROOM)
        if planned_rps * _CHECK_S < 1:
            return share * flood_rps  # nothing is planned for it
        outcomes = await load.poisson(
            planned_rps, _CHECK_S, seed=0, max_backlog=_BACKLOG, slo_s=SLO_S
        )
        if sum(o.in_time(SLO_S) for o in outcomes) >= _IN_TIME * len(outcomes):
            return share * flood_rps
        await load.settle()
    return 0.0


def rescaled(profile: Profile, check: Check) -> Profile:
    """
    Return the profile as it is on this machine: what was checked, and between that in proportion
    to the quota, which is what CPU-bound servers do.

    Latencies are longer where it is slower. A faster machine's are left: much of them is waiting
    for the next period of the quota, which lasts as long on any machine. A quota on a machine of
    speed s < 1 is s times that quota on the profile's: what is so below the smallest size that was
    measured is left out, for the reason for which it was not measured.

    Raises ValueError where nothing was checked that the profile has.
    """
    sizes, rates = zip(*sorted(_checked(profile, check).items()), strict=True)
    per_millicore = np.array(rates) / sizes
    smallest = min(a.resources[CPU] for a in profile.allocations)

    def rows() -> Iterator[ProfiledAllocation]:
        for own in profile.allocations:
            millicores = own.resources[CPU]
            saturation_rps = millicores * float(np.interp(millicores, sizes, per_millicore))
            speed = saturation_rps / (own.saturation_rps or saturation_rps or 1.0)
            if millicores * speed >= _NEAR * smallest:
                yield _as_measured(rescaled_row(own, saturation_rps))

    return replace(profile, load_time_s=check.load_s, allocations=tuple(rows()))


def speed_of(profile: Profile, check: Check) -> float:
    """
    The rate of this machine over that of the profile's, over all sizes that were checked.

    Raises ValueError where nothing was checked that the profile has.
    """
    checked = _checked(profile, check)
    known = {a.resources[CPU]: a.saturation_rps or 0.0 for a in profile.allocations}
    return sum(checked.values()) / sum(known[millicores] for millicores in checked)


def _checked(profile: Profile, check: Check) -> dict[int, float]:
    known = {a.resources[CPU] for a in profile.allocations if a.saturation_rps}
    checked = {size: rps for size, rps in check.saturation_rps.items() if size in known}
    if not checked:
        raise ValueError(f"The profile of {profile.variant} lacks the sizes that are checked.")
    return checked


def rescaled_row(allocation: ProfiledAllocation, saturation_rps: float) -> ProfiledAllocation:
    """One size, by what was seen of it."""
    if not allocation.saturation_rps:
        return allocation
    speed = saturation_rps / allocation.saturation_rps
    slower = max(1.0, 1.0 / speed)
    points = tuple(
        replace(
            point,
            rps=point.rps * speed,
            latency_s={p: latency * slower for p, latency in point.latency_s.items()},
        )
        for point in allocation.points
    )
    return replace(allocation, points=points, saturation_rps=saturation_rps)


def _as_measured(allocation: ProfiledAllocation) -> ProfiledAllocation:
    """Profiles that ship may be of servers with another batch limit than that which was checked."""
    return replace(allocation, size=replace(allocation.size, batch_size=BATCH_SIZE))
