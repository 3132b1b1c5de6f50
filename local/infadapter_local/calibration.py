"""
Calibrates the demo's variants: a short look at each, on the machine of whoever runs it.

A machine that others share is a fifth faster or slower from one second to the next, and for some
seconds. So all servers are up at once and measured in turn, in rounds: a moment that was slow is
then one of a variant's several, and none of them has it alone.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.measure import SIZES, Server, running, variant_words
from infadapter_local.pods import Start
from infadapter_local.rescaling import Check, rescaled_row
from infadapter_local.spec import HEADROOM, PERCENTILE, SLO_S
from infadapter_profiles.capacity import capacity_at
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_server.profiling.profiler import Load, ProfileError
from infadapter_solver.problem import CPU

_CHECK_SIZES = (300, 600)  # millicores; and the largest there is
_ROUNDS = 3
_FLOOD_S = 0.8  # in each of them
_CHECK_S = 3.0
_SHARES = (1.0, 1.0, 0.8, 0.64, 0.5)  # the first look may be what was disturbed
_IN_TIME = 0.97  # of a few hundred requests; the percentile itself would take thousands
_BACKLOG = 10_000  # requests: what is late is answered by a refusal

OnStep = Callable[[str], None]
"""Told what comes next."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A variant's server on one size."""

    variant: str
    row: ProfiledAllocation
    ready: Callable[[], Awaitable[Load]]
    """Gives it that size, and returns what it is looked at with."""

    @property
    def millicores(self) -> int:
        return self.row.resources[CPU]

    def __str__(self) -> str:
        return f"{self.variant} on {self.millicores}m"


def checked_sizes(limits: Quotas | Cores) -> tuple[int, ...]:
    """
    Small, middle and the largest that a pod can have here, of the sizes in the profiles. Between
    300m and 1000m, profiles of one machine have been a third too high on another.
    """
    had = [size for size in SIZES if limits.has(size)]
    return tuple(size for size in had if size in (*_CHECK_SIZES, had[-1]))


def steps(profiles: Sequence[Profile], limits: Quotas | Cores) -> int:
    """How many times `check_variants` tells what comes next."""
    return len(profiles) + len(_rows(profiles, checked_sizes(limits))) * (_ROUNDS + 1)


def _rows(
    profiles: Sequence[Profile], sizes: Sequence[int]
) -> list[tuple[str, ProfiledAllocation]]:
    """Of each variant, what is looked at."""
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
    Look at a few sizes of each, and at how long a start takes on the smallest: on a whole core it
    is several times as short as on what most pods have. Raises ProfileError or OSError.
    """
    sizes, servers = checked_sizes(limits), {}
    async with AsyncExitStack() as stack:
        for variant in (profile.variant for profile in profiles):
            on_step(f"{variant} starts")
            up = running(start, variant, variant_words(variant), sizes[0])
            servers[variant] = await stack.enter_async_context(up)
        places = [
            Place(variant, row, partial(_sized, servers[variant], row.resources[CPU], limits))
            for variant, row in _rows(profiles, sizes)
        ]
        rates = await believed(await flooded(places, on_step), on_step)
    return {
        variant: Check(
            server.load_s, {p.millicores: rps for p, rps in rates.items() if p.variant == variant}
        )
        for variant, server in servers.items()
    }


async def _sized(server: Server, millicores: int, limits: Quotas | Cores) -> Load:
    if limits.resizable:
        await server.resize(millicores)
    return server.load


async def flooded(places: Sequence[Place], on_step: OnStep) -> dict[Place, float]:
    """
    What each answers of a flood, requests/s, over all rounds. Until its last answer has come, as
    the batches of a slow one are seconds long. Raises ProfileError.
    """
    answered: Counter[Place] = Counter()
    took_s = dict.fromkeys(places, 0.0)
    for number in range(_ROUNDS):
        for place in places:
            on_step(f"{place}, {number + 1} of {_ROUNDS}")
            load = await place.ready()
            done_s = [o.done_s for o in await load.flood(_FLOOD_S) if o.answered]
            answered[place] += len(done_s)
            took_s[place] += max(done_s, default=_FLOOD_S)
    if silent := [str(place) for place in places if not answered[place]]:
        raise ProfileError(f"Nothing was answered by {', '.join(silent)}.")
    return {place: answered[place] / took_s[place] for place in places}


async def believed(flood_rps: Mapping[Place, float], on_step: OnStep) -> dict[Place, float]:
    """
    The saturation that is believed: as much less than the flood's as it takes for a pod to serve
    in time what is planned for it. A flood fills batches that take longer than the SLO allows
    where a machine is slow, and counts what it answers late. Raises ProfileError.
    """
    found: dict[Place, float] = {}
    for number, share in enumerate(_SHARES):
        for place in (place for place in flood_rps if place not in found):
            if number == 0:
                on_step(f"{place}, as planned")
            rps = share * flood_rps[place]
            if await _in_time(place, rps):
                found[place] = rps
    return {place: found.get(place, 0.0) for place in flood_rps}


async def _in_time(place: Place, saturation_rps: float) -> bool:
    """Whether it answers what would be planned for it, or nothing would be."""
    row = rescaled_row(place.row, saturation_rps)
    planned_rps = capacity_at(row, SLO_S, PERCENTILE, HEADROOM)
    if planned_rps * _CHECK_S < 1:
        return True
    load = await place.ready()
    outcomes = await load.poisson(planned_rps, _CHECK_S, seed=0, max_backlog=_BACKLOG, slo_s=SLO_S)
    await load.settle()
    return sum(o.in_time(SLO_S) for o in outcomes) >= _IN_TIME * len(outcomes)
