"""Profiles by the scheduler itself, in virtual time, from the CPU time of batches on one core."""

import random
from collections.abc import Iterable, Mapping
from itertools import accumulate

from infadapter_local.shipped import shipped_profiles
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.sizes import CPU, PodSize
from infadapter_scheduler import Arrival, Model, Scheduler, World, replay

MILLICORES = (250, 500, 1000)
"""Up to one core: a quota slows batches by its share; threads are another matter."""

PERCENTILE, EPSILON = 99.0, 0.01
REQUESTS = 5_000
NARROWED = 7  # times the interval is halved

Times = Mapping[int, float]
"""Seconds by batch size, on one core."""


def profiles(times: Mapping[str, Times], limits: Iterable[int], slo_s: float) -> list[Profile]:
    """Of the ladder, with a row for each size and batch limit."""
    limits = tuple(limits)
    return [
        Profile(
            variant=known.variant,
            accuracy=known.accuracy,
            load_time_s=known.load_time_s,
            allocations=tuple(
                _row(up_to(times[known.variant], limit), millicores, limit, slo_s)
                for limit in limits
                for millicores in MILLICORES
            ),
        )
        for known in shipped_profiles()
    ]


def up_to(times: Times, limit: int) -> Times:
    """
    What a server with this limit runs. A request of a larger batch takes no more than one of a
    smaller: where it was measured so, that is noise.
    """
    sizes = [size for size in sorted(times) if size <= limit]
    least = accumulate((times[size] / size for size in sizes), min)
    return {size: size * each for size, each in zip(sizes, least, strict=True)}


def _row(times: Times, millicores: int, limit: int, slo_s: float) -> ProfiledAllocation:
    slowed = {size: 1000 * seconds / millicores for size, seconds in times.items()}
    known = KnownCapacity(
        latency_s=slo_s, percentile=PERCENTILE, rps=goodput_rps(slowed, slo_s), missed_ratio=EPSILON
    )
    return ProfiledAllocation(
        size=PodSize(resources={CPU: millicores}, batch_size=limit),
        saturation_rps=_most_rps(slowed),
        capacity=(known,),
    )


def _most_rps(times: Times) -> float:
    return max(size / seconds for size, seconds in times.items())


def goodput_rps(times: Times, slo_s: float) -> float:
    """The largest rate of Poisson arrivals at which no more than ε are refused or late."""
    low, high = 0.0, _most_rps(times) / (1 - EPSILON)  # a run is too short to show that by itself
    for _ in range(NARROWED):
        rate_rps = (low + high) / 2
        if _missed(times, slo_s, rate_rps) <= EPSILON:
            low = rate_rps
        else:
            high = rate_rps
    return low


def _missed(times: Times, slo_s: float, rate_rps: float) -> float:
    draw, now_s = random.Random(1), 0.0
    arrivals = []
    for _ in range(REQUESTS):
        now_s += draw.expovariate(rate_rps)
        arrivals.append(Arrival(now_s, "model", slo_s))
    model = Model("model", times)
    fates = replay(Scheduler([model]), arrivals, World({"model": model}))
    return sum(fate.outcome != "on_time" for fate in fates) / len(fates)
