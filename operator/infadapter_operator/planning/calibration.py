"""
Calibration: the ratio of delivered to profiled capacity, by target.

A profile is measured once, on one machine, in coarse steps. Pods that miss nothing although they
are nearly as full as the profile allows can do more; pods that refuse or answer late while they are
not full can do less. Each observation moves a target's ratio towards the load at which a tolerated
share is missed (a stochastic approximation, as adaptive conformal inference tracks a quantile:
Gibbs and Candès, 2021). A load beyond the promised capacity teaches nothing, since misses are
expected there.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from infadapter_operator.domain.load import Delivered
from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.domain.service import Calibrated, Derived, Service
from infadapter_operator.domain.situation import RATIO_STEPS, CapacityCalibration, Settled
from infadapter_operator.planning.capacity import capacity_rps, same_size
from infadapter_solver.problem import Target, Variant

TOLERATED_MISSES = 0.1
"""Share of the misses that the percentile allows at which a pod counts as full."""

ADAPTATION_PER_S = 0.06
"""Rate per second at which a ratio follows the share missed beyond the tolerated one."""

MAX_MISSED_SHARE = 0.2
"""
Largest share missed that one observation counts for: a busy moment does not show what a pod can do.
"""

FULL_TO = 1.15
"""Utilisation beyond which misses are expected and nothing is learnt."""

TRIED = 0.005
"""
How far beyond what pods carried without a miss a ratio above 1 may go.

A pod that is three quarters full proves no more than that, and a plan that expects more overloads
it. The step is smaller than the hysteresis, so that at rest the ratio in force does not change.
"""

EARLY_TOLERANCE_S = 0.5
"""Seconds by which a cycle may be early and still count as one interval."""

MIN_RATIO, MAX_RATIO = 0.5, 1.1

MOST_KNOWN = 64
"""
Sets of ratios whose calibrated variants are cached. A service that runs for months produces many.
"""

HYSTERESIS_STEPS = 0.8
"""
How many steps a ratio must differ from the one in force to replace it, so that weights do not move.
"""


def calibrated_by(
    service: Service,
    before: CapacityCalibration,
    observed: Observed,
    delivered: Mapping[str, Delivered],
    now_s: float,
) -> CapacityCalibration:
    """
    Return the calibration after one more observation.

    `service` has the profiled capacities. Pods that started, stopped or were resized within the
    measured time are ignored.
    """
    settled = {
        pod.name: Settled(pod.size, _since_s(before, pod, now_s))
        for pod in observed.pods
        if pod.ready and not pod.leaving and pod.resize is Resize.NONE
    }
    lasted_s = 0.0 if before.at_s is None else min(now_s - before.at_s, service.interval_s)
    telling = [
        pod
        for pod in observed.pods
        if pod.name in settled
        and pod.name in delivered
        and now_s - settled[pod.name].since_s >= delivered[pod.name].over_s - EARLY_TOLERANCE_S
    ]
    ratios, tolerated = dict(before.ratios), TOLERATED_MISSES * (1 - service.percentile / 100)
    for target in {pod.target for pod in telling} if lasted_s > 0 else ():
        own = [pod for pod in telling if pod.target == target]
        ratio = ratios.get(target, 1.0)
        capacity = ratio * sum(capacity_rps(service, pod) for pod in own)
        ratios[target] = _moved(
            ratio, capacity, [delivered[pod.name] for pod in own], lasted_s, tolerated
        )
    in_force = {target: _stepped(before.ratio(target), ratio) for target, ratio in ratios.items()}
    return CapacityCalibration(ratios=ratios, in_force=in_force, settled=settled, at_s=now_s)


def _stepped(in_force: float, ratio: float) -> float:
    return (
        in_force
        if abs(ratio - in_force) < HYSTERESIS_STEPS / RATIO_STEPS
        else round(RATIO_STEPS * ratio) / RATIO_STEPS
    )


def _since_s(before: CapacityCalibration, pod: Pod, now_s: float) -> float:
    known = before.settled.get(pod.name)
    same = known is not None and same_size(known.size, pod.size)
    return min(known.since_s, now_s) if known and same else now_s


def _moved(
    ratio: float, capacity: float, delivered: list[Delivered], lasted_s: float, tolerated: float
) -> float:
    arrived_rps = sum(pod.arrived_rps for pod in delivered)
    if arrived_rps <= 0 or capacity <= 0 or arrived_rps > FULL_TO * capacity:
        return ratio
    missed = min(MAX_MISSED_SHARE, sum(pod.missed_rps for pod in delivered) / arrived_rps)
    moved = ratio * math.exp(ADAPTATION_PER_S * lasted_s * (tolerated - missed))
    if missed == 0:
        # The carried load is proven, and a little more is tried. Up to 1 the profile is believed.
        shown = ratio * arrived_rps / capacity + TRIED
        moved = min(moved, max(ratio, 1.0, shown))
    return min(MAX_RATIO, max(MIN_RATIO, moved))


def with_calibration(service: Service, calibration: CapacityCalibration) -> Service:
    """Return the service with the capacities that its pods deliver."""
    ratios = {target: calibration.ratio(target) for target in calibration.ratios}
    key = frozenset((target, ratio) for target, ratio in ratios.items() if ratio != 1.0)
    if not key:
        return service
    known = service.derived.of(service.variants).calibrated
    if key not in known:
        if len(known) >= MOST_KNOWN:
            known.clear()
        variants = tuple(_revalued(variant, dict(key)) for variant in service.variants)
        known[key] = Calibrated(variants, Derived())
    return replace(service, variants=known[key].variants, derived=known[key].derived)


def _revalued(variant: Variant, ratios: Mapping[Target, float]) -> Variant:
    return replace(
        variant,
        allocations=tuple(
            replace(a, capacity_rps=a.capacity_rps * ratios.get(Target(variant.name, a.kind), 1.0))
            for a in variant.allocations
        ),
    )
