"""
Split the traffic among pods: most accurate first, up to their capacity.

The accuracy of a pod with operating points falls as its load rises. So segments of pods are filled,
in the order of the accuracy that each additional request gets.

Weights are written to an HTTPRoute or a router's configuration. To avoid writes, those in force
stay while they are nearly as good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from infadapter_profiles.sizes import Segment, mean_accuracy
from infadapter_solver.problem import Target

FILL = 0.9
"""
Share of their capacity to which more accurate segments are filled while others have room. The
current rate is a mean of the past, and may be exceeded before the next cycle.
"""

WORTH_WRITING = 0.005
"""
Accuracy that new weights must gain to be written: half a point, less than the effect of noise in
the demand.
"""

IMBALANCE_TOLERANCE = 0.1
"""How much fuller than in the ideal split the fullest pod may be before traffic is split again."""

WHOLE = 1000
"""Weights are per mille: fine enough for any load, coarse enough to be stable."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """
    A pod that may receive traffic. One of unknown capacity (0) gets what the others cannot serve.
    """

    pod: str
    target: Target
    segments: tuple[Segment, ...]  # by falling accuracy; one segment without operating points
    reserve: bool = False  # about to be resized: used only if the others do not suffice

    @cached_property
    def capacity_rps(self) -> float:
        return sum(segment.rps for segment in self.segments)


def ideal_shares(backends: Sequence[Candidate], demand_rps: float) -> dict[str, float]:
    """Return the share of traffic by pod. Shares sum to 1; empty if there are no backends."""
    regular = [b for b in backends if b.capacity_rps > 0 and not b.reserve]
    suffice = bool(regular) and _capacity(regular) >= demand_rps
    usual = regular if suffice else [b for b in backends if b.capacity_rps]
    loads = _filled(usual, demand_rps)
    left_rps = demand_rps - (1 + _ROUNDING) * sum(loads.values())
    unknown = [b for b in backends if not b.capacity_rps]
    if unknown and (left_rps > 0 or not usual):
        loads |= {b.pod: max(left_rps, _TRICKLE_RPS) / len(unknown) for b in unknown}
    elif left_rps > 0:
        loads = {b.pod: b.capacity_rps for b in usual}
    total = sum(loads.values())
    return {pod: load / total for pod, load in loads.items() if load > 0} if total else {}


def weights_for(
    backends: Sequence[Candidate], demand_rps: float, in_force: Mapping[str, int]
) -> dict[str, int]:
    """
    Return whole-number weights by pod, all above 0; the weights in force if they are still good
    enough.

    Empty when no pod is Ready: the router then answers 503.
    """
    shares = ideal_shares(backends, demand_rps)
    current = {pod: weight for pod, weight in in_force.items() if weight > 0}
    if current and _still_does(backends, demand_rps, shares, current):
        return current
    return whole_weights(shares)


def whole_weights(shares: Mapping[str, float]) -> dict[str, int]:
    """Return per-mille weights, at least 1 for every pod that has a share."""
    return {pod: max(1, round(WHOLE * share)) for pod, share in sorted(shares.items())}


def shares_of(weights: Mapping[str, int]) -> dict[str, float]:
    total = sum(weights.values())
    return {pod: weight / total for pod, weight in weights.items() if weight > 0}


_TRICKLE_RPS = 1e-9

_ROUNDING = 1e-9
"""Relative tolerance by which the filled loads may add up to less than the demand."""

_SAME_DIGITS = 9
"""Decimal digits to which accuracies are compared; beyond them they differ only by rounding."""


def _capacity(backends: Sequence[Candidate]) -> float:
    return sum(backend.capacity_rps for backend in backends)


def _filled(backends: Sequence[Candidate], demand_rps: float) -> dict[str, float]:
    """Return the load by pod: by accuracy up to FILL; beyond that all pods are equally full."""
    demand_rps = max(demand_rps, _TRICKLE_RPS)
    total_rps = _capacity(backends)
    if demand_rps >= FILL * total_rps:
        fullness = min(1.0, demand_rps / total_rps) if total_rps else 0.0
        return {backend.pod: fullness * backend.capacity_rps for backend in backends}
    loads: dict[str, float] = {}
    for level in _levels(backends):
        room_rps = FILL * sum(rps for _, rps in level)
        taken = min(1.0, demand_rps / room_rps)
        for pod, rps in level:
            loads[pod] = loads.get(pod, 0.0) + taken * FILL * rps
        demand_rps -= taken * room_rps
        if demand_rps <= 0:
            break
    return loads


def _levels(backends: Sequence[Candidate]) -> list[list[tuple[str, float]]]:
    """
    Group the pods' segments by accuracy. Segments of equal accuracy are filled together, so that no
    pod queues while an equal one idles.
    """
    levels: dict[float, list[tuple[str, float]]] = {}
    for backend in sorted(backends, key=lambda b: b.pod):
        for segment in backend.segments:
            level = levels.setdefault(round(segment.accuracy, _SAME_DIGITS), [])
            level.append((backend.pod, segment.rps))
    return [levels[accuracy] for accuracy in sorted(levels, reverse=True)]


def _still_does(
    backends: Sequence[Candidate],
    demand_rps: float,
    ideal: Mapping[str, float],
    current: Mapping[str, int],
) -> bool:
    by_pod = {backend.pod: backend for backend in backends}
    if whole_weights(ideal) == dict(current):
        return True
    if not set(current) <= set(by_pod):
        return False
    shares = shares_of(current)
    limit = min(1.0, _fullest(by_pod, ideal, demand_rps) + IMBALANCE_TOLERANCE)
    within = _fullest(by_pod, shares, demand_rps) <= limit
    gain = _accuracy(by_pod, ideal, demand_rps) - _accuracy(by_pod, shares, demand_rps)
    return within and gain < WORTH_WRITING


def _fullest(
    backends: Mapping[str, Candidate], shares: Mapping[str, float], demand_rps: float
) -> float:
    """
    Return the highest utilisation among pods of known capacity. A pod that should get no load but
    has some counts as full.
    """
    return max(
        (
            share * demand_rps / backends[pod].capacity_rps if backends[pod].capacity_rps else 1.0
            for pod, share in shares.items()
        ),
        default=0.0,
    )


def _accuracy(
    backends: Mapping[str, Candidate], shares: Mapping[str, float], demand_rps: float
) -> float:
    """
    Return the mean accuracy delivered. Pods with operating points answer less accurately under more
    load.
    """
    return sum(
        share * mean_accuracy(backends[pod].segments, share * demand_rps)
        for pod, share in shares.items()
    )
