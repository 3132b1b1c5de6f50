"""
The Pareto search over SubNets: measured accuracy against measured seconds, by evolution.

SubNets of a few uniform shapes and some at random come first; then those on the front are changed a
little, round by round, as once-for-all networks have it. What is measured on the signals of the
search is measured anew on others once it is chosen.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import torch
from torch import Tensor

from infadapter_server.networks.adaptive.calibration import accuracy, calibrate
from infadapter_server.networks.adaptive.elastic import Bound, Elastic
from infadapter_server.networks.adaptive.space import Space, SubNet

__all__ = ["Found", "Search", "cpu_seconds", "front", "search", "thinned"]

_REPEATS, _WARM_UPS = 9, 2


@dataclass(frozen=True, slots=True)
class Found:
    subnet: SubNet
    accuracy: float
    seconds: float  # of one batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    seed: int = 1
    at_random: int = 60
    rounds: int = 3
    changed: int = 30  # per round
    batch: int = 16


def search(
    network: Elastic,
    calibration: Tensor,
    held_out: tuple[Tensor, Tensor],
    plan: Search,
    show: Callable[[int, Sequence[Found]], None],
) -> list[Found]:
    """Return the front, from the fastest to the most accurate."""
    rng, space, found = random.Random(plan.seed), network.space, dict[SubNet, Found]()
    candidates = [*_uniform(space), *(space.sample(rng) for _ in range(plan.at_random))]
    for number in range(plan.rounds + 1):
        for subnet in candidates:
            if subnet not in found:
                found[subnet] = _measured(network, subnet, calibration, held_out, plan.batch)
        best = front(found.values())
        show(number, best)
        candidates = [_changed(rng.choice(best).subnet, space, rng) for _ in range(plan.changed)]
    return best


def front(found: Iterable[Found]) -> list[Found]:
    """Those that none is both as fast and as accurate as."""
    best: list[Found] = []
    for each in sorted(found, key=lambda each: (each.seconds, -each.accuracy)):
        if not best or each.accuracy > best[-1].accuracy:
            best.append(each)
    return best


def thinned(points: Sequence[Found], most: int) -> list[Found]:
    """At most so many, of which neighbours are apart; the fastest and the most accurate stay."""
    kept = list(points)
    while len(kept) > max(2, most):
        gaps = [_gap(a, b) for a, b in pairwise(kept)]
        # The one between the two neighbours that are nearest to each other without it.
        least = min(range(1, len(kept) - 1), key=lambda place: gaps[place - 1] + gaps[place])
        del kept[least]
    return kept


def cpu_seconds(network: Elastic, subnet: SubNet, bound: Sequence[Bound], signals: Tensor) -> float:
    """Of a batch, on this thread: the least of several, since other programs only add to it."""
    took: list[float] = []
    with torch.inference_mode():
        for _ in range(_WARM_UPS + _REPEATS):
            began_s = time.thread_time()
            network.compute(signals, subnet, bound)
            took.append(time.thread_time() - began_s)
    return min(took[_WARM_UPS:])


def _measured(
    network: Elastic,
    subnet: SubNet,
    calibration: Tensor,
    held_out: tuple[Tensor, Tensor],
    batch: int,
) -> Found:
    bound = network.bind(subnet, calibrate(network, subnet, calibration))
    right = accuracy(network, subnet, bound, *held_out)
    return Found(subnet, right, cpu_seconds(network, subnet, bound, calibration[:batch]))


def _uniform(space: Space) -> list[SubNet]:
    """All widths and streams, at the least depths and at the most."""
    depths = [space.smallest().depths, space.largest().depths]
    return [space.uniform(*each) for each in product(space.streams, space.widths, depths)]


def _changed(subnet: SubNet, space: Space, rng: random.Random) -> SubNet:
    """Its stream, or the widths of a stage, or its depth, drawn anew."""
    other, stage = space.sample(rng), rng.randrange(len(space.stages))
    if rng.random() < 1 / 3:
        return replace(subnet, stream=other.stream)
    widths = list(subnet.widths)
    widths[stage] = other.widths[stage]
    return replace(subnet, widths=tuple(widths))


def _gap(a: Found, b: Found) -> float:
    """In accuracy and in seconds alike, each as a ratio."""
    return (b.accuracy - a.accuracy) / a.accuracy + (b.seconds - a.seconds) / b.seconds
