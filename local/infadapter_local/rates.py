"""
Saturation rates of pods, measured beside each other: floods in turn, then what is in time.

A shared machine's speed changes by a fifth from one second to the next, and for some seconds. So
all servers run at once and are measured in turn, in rounds: a slow second then affects one of
several measurements of a variant.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from infadapter_local.rescaling import rescaled_row
from infadapter_local.spec import HEADROOM, PERCENTILE, SLO_S
from infadapter_profiles.capacity import capacity_at
from infadapter_profiles.profile import ProfiledAllocation
from infadapter_server.profiling.profiler import Load, ProfileError
from infadapter_solver.problem import CPU

ROUNDS = 3
_FLOOD_S = 0.8  # per round
_CHECK_S = 3.0
_SHARES = (1.0, 1.0, 0.9, 0.8, 0.65, 0.5)  # twice, since the first check may have been disturbed
_DEVIATIONS = 2.0  # by which the misses of so few requests may exceed what the percentile allows
_BACKLOG = 10_000  # requests; late ones are answered by a refusal

OnStep = Callable[[str], None]
"""Called with the name of the next step."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One variant's server at one pod size."""

    variant: str
    row: ProfiledAllocation
    ready: Callable[[], Awaitable[Load]]
    """Resizes the server to the size, and returns its load generator."""

    @property
    def millicores(self) -> int:
        return self.row.resources[CPU]

    def __str__(self) -> str:
        return f"{self.variant} on {self.millicores}m"


async def flooded(places: Sequence[Place], on_step: OnStep) -> dict[Place, float]:
    """
    Return each server's answers per second under a flood, over all rounds. A flood lasts until its
    last answer, since a slow server's batches take seconds. Raises ProfileError.
    """
    answered: Counter[Place] = Counter()
    took_s = dict.fromkeys(places, 0.0)
    for number in range(ROUNDS):
        for place in places:
            on_step(f"{place}, {number + 1} of {ROUNDS}")
            load = await place.ready()
            done_s = [o.done_s for o in await load.flood(_FLOOD_S) if o.answered]
            answered[place] += len(done_s)
            took_s[place] += max(done_s, default=_FLOOD_S)
    if silent := [str(place) for place in places if not answered[place]]:
        raise ProfileError(f"Nothing was answered by {', '.join(silent)}.")
    return {place: answered[place] / took_s[place] for place in places}


async def believed(flood_rps: Mapping[Place, float], on_step: OnStep) -> dict[Place, float]:
    """
    Return the saturation rates to plan with: the flood's rate, lowered until a pod serves in time
    what would be planned for it. On a slow machine a flood fills batches that take longer than the
    SLO allows, and counts late answers. Raises ProfileError.
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
    """Whether the planned load is answered in time, or is less than one request."""
    row = rescaled_row(place.row, saturation_rps)
    planned_rps = capacity_at(row, SLO_S, PERCENTILE, HEADROOM)
    if planned_rps * _CHECK_S < 1:
        return True
    load = await place.ready()
    outcomes = await load.poisson(planned_rps, _CHECK_S, seed=0, max_backlog=_BACKLOG, slo_s=SLO_S)
    await load.settle()
    return sum(not o.in_time(SLO_S) for o in outcomes) <= _allowed_misses(len(outcomes))


def _allowed_misses(requests: int) -> float:
    """Return how many of these may miss the SLO by chance if the percentile holds (binomial)."""
    miss_ratio = 1 - PERCENTILE / 100
    expected = requests * miss_ratio
    return expected + _DEVIATIONS * math.sqrt(expected * (1 - miss_ratio))
