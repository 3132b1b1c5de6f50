"""Loads in steps, and services whose numbers are easy to follow."""

from dataclasses import replace

import numpy as np

from infadapter.profiles import read_preset
from infadapter_operator.domain.service import Service
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import PodSpeed, Scenario, speeds_of, variants_of
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.faults import Faults
from infadapter_solver import CPU, Allocation, Objective, PodSize, Variant
from infadapter_workload.trace import Trace

CORE_RPS = 20.0
AT_SATURATION = 1.1
"""What pods answer at most, of what their profiles promise within the SLO."""


def steps(*parts: tuple[int, float], from_s: int = 0, seed: int = 0) -> Workload:
    """
    Seconds at a rate, one after the other; what is before `from_s` is history. As many requests in
    every second, so that nothing but what a state is about asks for another plan.
    """
    rates = np.concatenate([np.full(seconds, float(round(rps))) for seconds, rps in parts])
    trace = Trace(name="steps", rates=rates, counted=True)
    return Part(trace=trace, from_s=from_s, to_s=len(rates)).workload(seed)


def paper(budget_cores: int) -> Scenario:
    """As `--preset paper --budget` has it."""
    profiles = read_preset("paper-raw")
    variants = variants_of(profiles, 0.75, 99.0)
    sized = (
        replace(
            v,
            allocations=tuple(
                a for a in v.allocations if 2000 <= a.cpu_millicores <= 1000 * budget_cores
            ),
        )
        for v in variants
    )
    return Scenario(
        variants=tuple(sized),
        speeds=speeds_of(profiles, variants),
        profiles={profile.variant: profile for profile in profiles},
        objective=Objective(budget={CPU: 1000 * budget_cores}, loading_weight=0.001),
    )


def sized(cores: int) -> Allocation:
    return Allocation(size=PodSize(resources={CPU: 1000 * cores}), capacity_rps=CORE_RPS * cores)


def plain(
    variants: dict[str, tuple[float, tuple[int, ...]]],
    *,
    budget_cores: int = 8,
    surge_cores: int | None = None,
    load_s: float = 5.0,
    faults: Faults | None = None,
) -> Scenario:
    """By variant, its accuracy and the cores that a pod of it may have; a core answers 20 rps."""
    made = tuple(
        Variant(
            name=name,
            accuracy=accuracy,
            load_time_s=load_s,
            allocations=tuple(map(sized, cores)),
        )
        for name, (accuracy, cores) in variants.items()
    )
    return Scenario(
        variants=made,
        speeds=speeds(made),
        max_surge=None if surge_cores is None else {CPU: 1000 * surge_cores},
        faults=faults or Faults(),
        objective=Objective(budget={CPU: 1000 * budget_cores}, loading_weight=0.001),
    )


def speeds(variants: tuple[Variant, ...]) -> dict[tuple[str, PodSize], PodSpeed]:
    """A server for each begun core."""
    return {
        (v.name, a.size): PodSpeed(
            servers := max(1, a.cpu_millicores // 1000), servers / (AT_SATURATION * a.capacity_rps)
        )
        for v in variants
        for a in v.allocations
    }


def scenario_of(service: Service) -> Scenario:
    """A world for a service that is there already."""
    return Scenario(
        variants=service.variants,
        speeds=speeds(service.variants),
        slo_s=service.slo_s,
        max_surge=service.max_surge,
        start_overhead_s=0.0,
        objective=Objective(
            budget=service.budget, cost_weight=service.objective.cost_weight, loading_weight=0.001
        ),
    )
