"""
The Pareto search over SubNets: measured accuracy against measured seconds, by evolution.

The first round has SubNets of uniform shapes and random ones. Later rounds mutate those on the
front, as for once-for-all networks. Chosen SubNets are measured again on signals that the search
did not use.
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
    """Return the Pareto front by seconds and accuracy, fastest first."""
    best: list[Found] = []
    for each in sorted(found, key=lambda each: (each.seconds, -each.accuracy)):
        if not best or each.accuracy > best[-1].accuracy:
            best.append(each)
    return best


def thinned(points: Sequence[Found], most: int) -> list[Found]:
    """Return at most `most` spread-out points, always the fastest and the most accurate."""
    kept = list(points)
    while len(kept) > max(2, most):
        gaps = [_gap(a, b) for a, b in pairwise(kept)]
        # Drop the point whose neighbours are nearest to each other.
        least = min(range(1, len(kept) - 1), key=lambda place: gaps[place - 1] + gaps[place])
        del kept[least]
    return kept


def cpu_seconds(network: Elastic, subnet: SubNet, bound: Sequence[Bound], signals: Tensor) -> float:
    """Return a batch's CPU time on this thread: the least of several runs, as noise only adds."""
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
    """Return SubNets of every uniform width and stream, at minimum and at maximum depths."""
    depths = [space.smallest().depths, space.largest().depths]
    return [space.uniform(*each) for each in product(space.streams, space.widths, depths)]


def _changed(subnet: SubNet, space: Space, rng: random.Random) -> SubNet:
    """Return a mutation: the stream, or the depth and widths of one stage, drawn again."""
    other, stage = space.sample(rng), rng.randrange(len(space.stages))
    if rng.random() < 1 / 3:
        return replace(subnet, stream=other.stream)
    widths = list(subnet.widths)
    widths[stage] = other.widths[stage]
    return replace(subnet, widths=tuple(widths))


def _gap(a: Found, b: Found) -> float:
    """Return the distance of two points: the sum of relative accuracy and time differences."""
    return (b.accuracy - a.accuracy) / a.accuracy + (b.seconds - a.seconds) / b.seconds
