"""Valid values for tests; a test changes only what matters to it."""

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.planning_demand import PlanningDemand
from infadapter_profiles.sizes import PointCapacity
from infadapter_solver import Problem, evaluate
from infadapter_solver.candidates import LEAST_DEMAND_RPS
from infadapter_solver.problem import (
    CPU,
    Allocation,
    Objective,
    Plan,
    PodGroup,
    PodSize,
    Target,
    Variant,
)

_OF_OBJECTIVE = {field.name for field in fields(Objective)}


def sizes(rps_per_core: float, *millicores: int) -> tuple[Allocation, ...]:
    return tuple(
        Allocation(size=PodSize(resources={CPU: size}), capacity_rps=rps_per_core * size / 1000)
        for size in millicores
    )


SMALL = Variant(
    name="small", accuracy=0.70, load_time_s=2.0, allocations=sizes(20, 500, 1000, 2000, 4000)
)
MIDDLE = Variant(
    name="middle", accuracy=0.75, load_time_s=5.0, allocations=sizes(10, 500, 1000, 2000, 4000)
)
LARGE = Variant(
    name="large", accuracy=0.78, load_time_s=9.0, allocations=sizes(4, 1000, 2000, 4000)
)

POINTS = (
    PointCapacity(name="large", accuracy=0.78, capacity_ratio=0.2),
    PointCapacity(name="middle", accuracy=0.75, capacity_ratio=0.5),
    PointCapacity(name="small", accuracy=0.70, capacity_ratio=1.0),
)
GROUPED = Variant(
    name="grouped",
    accuracy=0.78,
    load_time_s=9.0,
    allocations=tuple(replace(a, points=POINTS) for a in sizes(20, 500, 1000, 2000, 4000)),
)
"""A variant with the three above as operating points of one pod."""

EMPTY_PLAN = Plan(
    groups=(),
    served_rps={},
    accuracy=0.0,
    cost=0.0,
    cost_ratio=0.0,
    loading_s=0.0,
    objective=None,
    feasible=False,
)


def a_service(**changes: object) -> Service:
    """Return a valid Service with the given fields changed."""
    service = Service(
        namespace="vision",
        name="resnet",
        slo_s=0.75,
        percentile=99.0,
        variants=(SMALL, MIDDLE, LARGE),
        max_surge={CPU: 8000},
        horizon_s=20.0,
        interval_s=10.0,
        stabilization_s=40.0,
        objective=Objective(budget={CPU: 8000}, loading_weight=0.001),
    )
    return with_changes(service, changes)


def with_changes(service: Service, changes: Mapping[str, object]) -> Service:
    """Return the service with these fields, its own or its objective's, changed."""
    others = {name: value for name, value in changes.items() if name not in _OF_OBJECTIVE}
    goal = {name: value for name, value in changes.items() if name in _OF_OBJECTIVE}
    objective = replace(service.objective, **goal)  # type: ignore[arg-type]
    return replace(service, objective=objective, **others)  # type: ignore[arg-type]


def recall(
    service: Service, groups: tuple[PodGroup, ...], *, demand_rps: float, decided_at_s: float
) -> Decision:
    """Return a decision whose plan consists of these groups."""
    problem = Problem(
        variants=service.variants,
        demand_rps=max(demand_rps, LEAST_DEMAND_RPS),
        min_replicas=service.min_replicas,
        objective=service.objective,
    )
    plan = evaluate(problem, groups)
    return Decision(plan=plan, decided_at_s=decided_at_s, demand_rps=demand_rps)


def a_steady_demand(rps: float, seconds: int, *, rate_rps: float | None = None) -> PlanningDemand:
    """Return the demand after `seconds` at `rps`, or at `rate_rps` while `rps` is planned for."""
    return PlanningDemand(
        rps=rps,
        least_rps=rps,
        kept_rps=rps,
        forecast_rps=rps,
        observed_rps=rps,
        now_rps=rps,
        rates=np.full(seconds, rps if rate_rps is None else rate_rps),
    )


def a_pod(
    name: str,
    millicores: int,
    *,
    wanted: int | None = None,
    batch_size: int = 1,
    resources: Mapping[str, int] | None = None,
    **changes: object,
) -> Pod:
    """Return a Ready pod. Its variant is the part of its name before the dash."""
    size = PodSize(resources=resources or {CPU: millicores}, batch_size=batch_size)
    asked = size if wanted is None else replace(size, resources={CPU: wanted})
    pod = Pod(
        name=name,
        target=Target(name.partition("-")[0]),
        size=size,
        wanted=asked,
        ready=True,
        created_at_s=0.0,
        address=f"{name}:80",
    )
    return replace(pod, **changes)  # type: ignore[arg-type]
