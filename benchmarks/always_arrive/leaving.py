"""A step of the load while pods of the time before still leave, as it was met on a cluster."""

from collections.abc import Iterator

from benchmarks.always_arrive.loads import steps
from benchmarks.always_arrive.playing import State
from infadapter_operator.domain.service import Service
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_solver import CPU, Allocation, Objective, PodSize, Variant

BUDGET_M, SURGE_M = 900, 600
SLO_S = 0.4
STARTS_S = 6.0
LADDER = {"glyph-3": (0.91425, 434.0), "glyph-4": (0.91985, 197.0), "glyph-5": (0.9258, 72.0)}
"""Accuracies, and what saturates a pod with the whole budget."""

PROMISED = 0.6  # of that, within the SLO
LEAVE_S = {
    "preStop and drain": 13.0,
    "a drain that ends with the silence": 9.0,
    "which nothing precedes": 4.0,
}
"""From the order to stop until the pod's CPU is free, with what its platform needs itself."""

HISTORY_S, IDLE_S, CALM_S, AFTER_S = 200, 25, 17, 75


def leavings() -> Iterator[State]:
    for words, leave_s in LEAVE_S.items():
        yield leaving(f"12 a step while pods leave: {words}", leave_s)


def leaving(name: str, leave_s: float) -> State:
    """The plan for the calm is reached a moment before the step, but for the pod of no load."""
    variants = tuple(_variant(name, *known) for name, known in LADDER.items())
    most_rps = variants[0].allocations[-1].capacity_rps
    scenario = _scenario(variants, leave_s)
    calm, after = (CALM_S, 0.25 * most_rps), (AFTER_S, 0.85 * most_rps)
    return State(
        name=name,
        service=_service(scenario),
        scenario=scenario,
        workload=steps((HISTORY_S, 0.0), (IDLE_S, 0.0), calm, after, from_s=HISTORY_S),
        event_s=IDLE_S + CALM_S,
    )


def _variant(name: str, accuracy: float, saturated_rps: float) -> Variant:
    allocations = tuple(
        Allocation(
            size=PodSize(resources={CPU: size_m}),
            capacity_rps=PROMISED * saturated_rps * size_m / BUDGET_M,
        )
        for size_m in range(200, BUDGET_M + 1, 100)
    )
    return Variant(name=name, accuracy=accuracy, load_time_s=STARTS_S, allocations=allocations)


def _scenario(variants: tuple[Variant, ...], leave_s: float) -> Scenario:
    speeds = {
        (v.name, a.size): PodSpeed(1, PROMISED / a.capacity_rps)
        for v in variants
        for a in v.allocations
    }
    return Scenario(
        variants=variants,
        speeds=speeds,
        slo_s=SLO_S,
        max_surge={CPU: SURGE_M},
        drain_s=leave_s,
        start_overhead_s=0.0,
        objective=Objective(budget={CPU: BUDGET_M}, cost_weight=0.01, loading_weight=0.0),
    )


def _service(scenario: Scenario) -> Service:
    return Service(
        namespace="simulated",
        name="step",
        slo_s=SLO_S,
        percentile=scenario.percentile,
        variants=scenario.variants,
        objective=scenario.objective,
        max_surge=scenario.surge,
        horizon_s=10.0,
        stabilization_s=15.0,
    )
