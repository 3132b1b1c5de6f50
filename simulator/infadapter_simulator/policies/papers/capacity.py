"""
InfAdapter's capacity model: a pod's rate by a line fitted to its measurements.

From the released code (adapter/train_capacity_models.py, adapter/reconfig.py): the line is fitted
to 1, 2, 4, 8 and 16 cores; a size counts for 80 % of it; a pod has at least two cores.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from infadapter_simulator.policies.papers.planned import QueueLimits
from infadapter_simulator.scenario import Scenario
from infadapter_solver import CPU, Allocation, Variant, to_variant

HEADROOM = 0.8
FEWEST_MILLICORES = 2000
FITTED_CORES = (1, 2, 4, 8, 16)
QUEUED_S = 1.25


def fitted(scenario: Scenario) -> tuple[Variant, ...]:
    """
    Return the scenario's variants on CPU with InfAdapter's capacities. The line is fitted to the
    profiles if there are any, including sizes that the scenario leaves out. Sizes below two cores
    are left out if there are larger ones.
    """
    profiled = {
        name: to_variant(profile, scenario.slo_s, scenario.percentile)
        for name, profile in scenario.profiles.items()
    }
    found = (_fitted(v, profiled.get(v.name, v)) for v in scenario.variants)
    return tuple(variant for variant in found if variant.allocations)


def published_limits(variants: Sequence[Variant]) -> QueueLimits:
    """Return `max_enqueued_batches` of the paper's TensorFlow Serving: the capacity of 1.25 s."""
    return {
        (variant.name, a.cpu_millicores): int(QUEUED_S * a.capacity_rps)
        for variant in variants
        for a in variant.allocations
    }


def _fitted(variant: Variant, profiled: Variant) -> Variant:
    points = _on_cpu(profiled)
    if not points:
        return replace(variant, allocations=())
    usual = [a for a in points if a.cpu_millicores / 1000 in FITTED_CORES]
    line = _line(usual if len(usual) > 1 else points)
    sizes = _on_cpu(variant)
    sizes = [a for a in sizes if a.cpu_millicores >= FEWEST_MILLICORES] or sizes
    believed = (replace(a, capacity_rps=line(a.cpu_millicores / 1000)) for a in sizes)
    return replace(variant, allocations=tuple(a for a in believed if a.capacity_rps > 0))


def _line(points: Sequence[Allocation]) -> Callable[[float], float]:
    """
    Return the fitted line. Its intercept is at most 0 and truncated towards zero, as
    `int(min(intercept, 0.99))`.
    """
    cores = np.array([a.cpu_millicores / 1000 for a in points])
    rps = np.array([a.capacity_rps for a in points])
    slope, intercept = np.polyfit(cores, rps, 1) if len(points) > 1 else (rps[0] / cores[0], 0.0)
    cut = int(min(intercept, 0.99))
    return lambda n: float(max(0, math.floor(HEADROOM * (slope * n + cut) + 1e-9)))


def _on_cpu(variant: Variant) -> list[Allocation]:
    """Return the allocations with the smallest batch size, one for each number of cores."""
    cpu = [a for a in variant.allocations if a.kind == CPU]
    batch = min((a.batch_size for a in cpu), default=1)
    return [a for a in cpu if a.batch_size == batch]
