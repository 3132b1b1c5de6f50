"""The check that a plan is reached: it is true exactly if a rollout would take no step."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize, Trouble
from infadapter_operator.rollout.match import match_pods
from infadapter_operator.rollout.moves import is_reached, moves_towards
from infadapter_operator.rollout.release import DrainContext
from infadapter_operator.rollout.rollout import at_rest, on_the_way
from infadapter_solver.problem import CPU, PodGroup, PodSize, Target
from tests.builders import LARGE, SMALL, a_pod, a_service, recall

SERVICE = a_service()
SIZES = (1000, 2000, 4000)
VARIANTS = (SMALL, LARGE)
LATE = Trouble(cause=Cause.IMAGE, message="away", since_s=0.0)


def group(variant: int, pods: int, size: int) -> PodGroup:
    of = VARIANTS[variant]
    allocation = next(a for a in of.allocations if a.cpu_millicores >= size)
    return PodGroup(target=Target(of.name), allocation=allocation, pods=pods)


def context(groups: tuple[PodGroup, ...], observed: Observed, demand_rps: float) -> DrainContext:
    plan = recall(SERVICE, groups, demand_rps=10.0, decided_at_s=0.0).plan
    return DrainContext(
        service=SERVICE,
        plan=plan,
        pods=match_pods(SERVICE, plan, observed),
        carrying=frozenset(observed.weights),
        demand_rps=demand_rps,
        now_s=100.0,
    )


def as_planned(groups: tuple[PodGroup, ...]) -> Observed:
    pods = tuple(
        a_pod(f"{one.target.variant}-{at}", one.allocation.cpu_millicores)
        for one in groups
        for at in range(one.pods)
    )
    desired = {one.target: one.pods for one in groups}
    return Observed(pods=pods, desired_pods=desired, weights={pod.name: 1 for pod in pods})


@st.composite
def plans(draw: st.DrawFn) -> tuple[PodGroup, ...]:
    counts = [draw(st.integers(0, 3)) for _ in VARIANTS]
    sizes = [draw(st.sampled_from(SIZES)) for _ in VARIANTS]
    return tuple(group(at, n, sizes[at]) for at, n in enumerate(counts) if n)


@st.composite
def changed(draw: st.DrawFn, pod: Pod) -> Pod:
    changes = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "ready": st.just(False),
                "leaving": st.just(True),
                "trouble": st.just(LATE),
                "resize": st.sampled_from(Resize),
                "unschedulable_since_s": st.just(1.0),
                "wanted": st.sampled_from(SIZES).map(lambda n: PodSize(resources={CPU: n})),
            },
        )
    )
    return replace(pod, **changes)


@st.composite
def looks(draw: st.DrawFn) -> tuple[tuple[PodGroup, ...], Observed]:
    """Draw a plan, and pods that nearly match it or another plan."""
    planned = draw(plans())
    observed = as_planned(planned if draw(st.booleans()) else draw(plans()))
    at = draw(st.integers(-1, len(observed.pods) - 1))
    pods = [draw(changed(pod)) if i == at else pod for i, pod in enumerate(observed.pods)]
    targets = [Target(variant.name) for variant in VARIANTS]
    desired = dict(observed.desired_pods)
    if draw(st.integers(0, 3)) == 0:
        desired[draw(st.sampled_from(targets))] = draw(st.integers(0, 4))
    rolling = draw(st.sampled_from([frozenset[Target](), frozenset(targets[:1])]))
    return planned, replace(observed, pods=tuple(pods), desired_pods=desired, rolling=rolling)


@settings(deadline=None)
@given(look=looks(), demand_rps=st.floats(0.0, 200.0), doubt=st.booleans())
def test_what_is_called_reached_moves_nothing(
    look: tuple[tuple[PodGroup, ...], Observed], demand_rps: float, doubt: bool
) -> None:
    groups, observed = look
    asked = context(groups, observed, demand_rps)
    if not is_reached(asked, observed):
        return
    found = moves_towards(asked, observed, doubt=doubt)
    moved = (*found.grown.steps, *found.bridged, *found.rolled, *found.freed)
    assert moved == ()
    assert (found.grown.shortages, found.short) == ((), frozenset())
    rest = at_rest(asked, observed, demand_rps, doubt=doubt)
    assert rest == on_the_way(asked, observed, demand_rps, doubt=doubt)


@settings(deadline=None)
@given(groups=plans(), demand_rps=st.floats(0.0, 200.0))
def test_what_is_as_planned_is_reached(groups: tuple[PodGroup, ...], demand_rps: float) -> None:
    observed = as_planned(groups)
    assert is_reached(context(groups, observed, demand_rps), observed)


@pytest.mark.parametrize(
    "changes",
    [
        {"ready": False},
        {"leaving": True},
        {"trouble": LATE},
        {"resize": Resize.IN_PROGRESS},
        {"unschedulable_since_s": 1.0},
        {"wanted": PodSize(resources={CPU: 4000})},
        {"size": PodSize(resources={CPU: 4000})},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_one_pod_lacks_is_no_plan_that_is_reached(changes: dict[str, object]) -> None:
    groups = (group(0, 2, 2000),)
    observed = as_planned(groups)
    first, *others = observed.pods
    observed = replace(observed, pods=(replace(first, **changes), *others))  # type: ignore[arg-type]
    assert not is_reached(context(groups, observed, 10.0), observed)


def test_pods_that_are_asked_for_or_going_are_no_plan_that_is_reached() -> None:
    groups = (group(0, 2, 2000),)
    observed = as_planned(groups)
    target = groups[0].target
    for other in (
        replace(observed, desired_pods={target: 3}),
        replace(observed, desired_pods={target: 2, Target(LARGE.name): 1}),
        replace(observed, rolling=frozenset([target])),
        replace(observed, untouchable=frozenset([target])),
        replace(observed, pods=(*observed.pods, a_pod(f"{LARGE.name}-9", 2000))),
    ):
        assert not is_reached(context(groups, other, 10.0), other)
