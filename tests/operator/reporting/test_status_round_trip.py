"""The status is the loop's only memory after a restart, so it must be read as it was written."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.decision import Alternative, Decision, Source
from infadapter_operator.domain.service import Service
from infadapter_operator.reporting.plan_status import decision_from, plan_status
from infadapter_operator.reporting.status import status_of
from infadapter_solver import Binding
from infadapter_solver.problem import CPU, Allocation, Plan, PodGroup, PodSize, Target
from tests.builders import EMPTY_PLAN, a_service

GPU = "nvidia.com/gpu"
SERVICE = a_service(budget={CPU: 8000, GPU: 4}, prices={CPU: 1.0, GPU: 3.0})
KNOWN = {v.name: v.allocations for v in SERVICE.variants}

rates = st.floats(0, 1e6)
sentences = st.text("abc 019.,:%()", min_size=1, max_size=40)


def sizes(kind: str) -> st.SearchStrategy[Allocation]:
    """Draw allocations that no profile has."""
    devices = st.fixed_dictionaries({} if kind == CPU else {kind: st.integers(1, 8)})
    return st.builds(
        lambda cpu, more, batch, rps: Allocation(
            size=PodSize(resources={CPU: cpu, **more}, batch_size=batch), capacity_rps=rps
        ),
        st.integers(1, 64_000),
        devices,
        st.integers(1, 64),
        rates,
    )


def groups(target: Target) -> st.SearchStrategy[PodGroup]:
    known = st.sampled_from(KNOWN[target.variant]) if target.kind == CPU else st.nothing()
    return st.builds(
        PodGroup,
        target=st.just(target),
        allocation=known | sizes(target.kind),
        pods=st.integers(0, 40),
    )


TARGETS = [Target(name, kind) for name in KNOWN for kind in (CPU, GPU)]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    targets = draw(st.lists(st.sampled_from(TARGETS), unique=True))
    feasible = draw(st.booleans())
    return replace(
        EMPTY_PLAN,
        groups=tuple(draw(groups(target)) for target in targets),
        served_rps={target: draw(rates) for target in targets},
        accuracy=draw(st.floats(0, 1)),
        cost=draw(rates),
        loading_s=draw(st.floats(0, 100)),
        objective=draw(st.floats(-10, 10)) if feasible else None,
        feasible=feasible,
    )


decisions = st.builds(
    Decision,
    plan=plans(),
    decided_at_s=st.floats(0, 4e9),
    demand_rps=rates,
    forecast_rps=st.none() | rates,
    observed_rps=st.none() | rates,
    source=st.sampled_from(Source),
    binding=st.sampled_from(Binding),
    why=st.lists(sentences, max_size=4).map(tuple),
    rejected=st.lists(
        st.builds(
            Alternative,
            variant=st.sampled_from(sorted(KNOWN)),
            objective=st.none() | st.floats(-1, 1),
            reason=sentences,
        ),
        max_size=8,
    ).map(tuple),
    expected_latency_s=st.none() | st.floats(0, 600),
)


def written(decision: Decision, service: Service = SERVICE) -> Decision:
    """Return the part of a decision that the status keeps, with rounded numbers."""
    plan, latency_s = decision.plan, decision.expected_latency_s
    running = tuple(group for group in plan.groups if group.pods)
    cost = round(plan.cost, 6)
    return replace(
        decision,
        plan=replace(
            plan,
            groups=tuple(_rounded(group) for group in running),
            served_rps={g.target: round(plan.served_rps[g.target], 6) for g in running},
            accuracy=round(plan.accuracy, 6),
            cost=cost,
            cost_ratio=cost / service.objective.price_of(service.budget),
            loading_s=0.0,
            objective=None if plan.objective is None else round(plan.objective, 6),
        ),
        decided_at_s=float(math.floor(decision.decided_at_s)),
        demand_rps=round(decision.demand_rps, 3),
        forecast_rps=None,
        observed_rps=None,
        rejected=tuple(replace(one, objective=None) for one in decision.rejected),
        expected_latency_s=None if latency_s is None else round(latency_s * 1000, 3) / 1000,
    )


def _rounded(group: PodGroup) -> PodGroup:
    """Round the capacity, unless the current profile has the size."""
    same = (a for a in KNOWN[group.target.variant] if a.size == group.allocation.size)
    allocation = group.allocation
    rounded = replace(allocation, capacity_rps=round(allocation.capacity_rps, 6))
    return replace(group, allocation=next(same, rounded))


def through_the_api(decision: Decision) -> InferenceServiceStatus:
    status = status_of(SERVICE, 1, decision, (), None, decision.decided_at_s, changed=True)
    return InferenceServiceStatus.model_validate_json(status.model_dump_json(exclude_none=True))


@given(decisions)
def test_a_decision_comes_back_from_its_status_up_to_rounding_and_is_written_as_before(
    decision: Decision,
) -> None:
    """Otherwise every restart would write the status without a change."""
    first = decision_from(SERVICE, through_the_api(decision))
    assert first is not None
    assert first == written(decision)
    again = decision_from(SERVICE, through_the_api(first))
    assert again == first
    assert again.shape == written(decision).shape
    assert plan_status(again) == plan_status(first)
