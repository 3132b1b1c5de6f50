"""Pods that may shrink before the router has confirmed the weights that allow it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.planning.capacity import fitting
from infadapter_operator.rollout.match import PodState, match_pods
from infadapter_operator.rollout.scale_down import remove, unloaded
from infadapter_operator.rollout.traffic_split import shares_of
from infadapter_solver.problem import CPU, Allocation, PodGroup, PodSize, Target
from tests.builders import EMPTY_PLAN, a_pod, a_service

SERVICE = a_service()
SIZES = (1000, 2000, 4000)
WEIGHTS = st.fixed_dictionaries({"small-1": st.integers(0, 9), "small-2": st.integers(0, 9)})


def allocation(millicores: int) -> Allocation:
    found = fitting(SERVICE, Target("small"), PodSize(resources={CPU: millicores}))
    assert found is not None
    return found


def pods_of(first: int, second: int) -> tuple[PodState, ...]:
    pods = (a_pod("small-1", first), a_pod("small-2", second))
    return match_pods(SERVICE, EMPTY_PLAN, Observed(pods=pods, weights={}))


def served_rps(rps: Mapping[str, float], weights: Mapping[str, int], demand_rps: float) -> float:
    share = shares_of(weights)
    return sum(min(rps[pod], share.get(pod, 0.0) * demand_rps) for pod in rps)


def test_in_an_overload_a_pod_shrinks_whatever_the_weights_on_their_way_are() -> None:
    pods = pods_of(4000, 2000)
    demand_rps = 3 * sum(one.capacity_rps for one in pods)
    moving = ({"small-1": 500, "small-2": 500}, {"small-1": 667, "small-2": 333})
    freed = {"small-1": allocation(1000)}
    assert unloaded(pods, freed, moving, demand_rps) == freed


def test_in_an_overload_no_pod_shrinks_for_one_that_is_not_sent_to_yet() -> None:
    pods = pods_of(4000, 2000)
    demand_rps = 3 * sum(one.capacity_rps for one in pods)
    moving = ({"small-1": 667, "small-2": 333}, {"small-1": 1000})
    assert unloaded(pods, {"small-1": allocation(2000)}, moving, demand_rps) == {}


def test_no_pod_shrinks_that_weights_on_their_way_leave_it_to_alone() -> None:
    """Weights replaced before their confirmation may still come into force: small-1 alone then."""
    pods = pods_of(4000, 4000)
    demand_rps = pods[0].capacity_rps
    both = {"small-1": 500, "small-2": 500}
    freed = {"small-1": allocation(2000)}
    assert unloaded(pods, freed, (both, both), demand_rps) == freed
    assert unloaded(pods, freed, (both, both, {"small-1": 1000}), demand_rps) == {}


def test_a_pod_that_still_gets_what_the_others_could_serve_does_not_shrink_yet() -> None:
    pods = pods_of(2000, 4000)
    demand_rps = pods[0].capacity_rps
    moving = ({"small-2": 1000}, {"small-1": 900, "small-2": 100})
    assert unloaded(pods, {"small-1": allocation(1000)}, moving, demand_rps) == {}


@given(
    sizes=st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES)),
    to=st.sampled_from(SIZES),
    weights=st.lists(WEIGHTS.filter(lambda w: any(w.values())), min_size=2, max_size=3),
    demand_rps=st.floats(1, 500),
)
def test_what_shrinks_early_costs_no_more_requests_than_by_the_best_weights(
    sizes: tuple[int, int], to: int, weights: list[dict[str, int]], demand_rps: float
) -> None:
    pods = pods_of(*sizes)
    found = unloaded(pods, {"small-1": allocation(to)}, weights, demand_rps)
    if not found or all(each == weights[0] for each in weights):
        return
    before = {one.actual.name: one.capacity_rps for one in pods}
    after = before | {"small-1": allocation(to).capacity_rps}
    at_best = min(demand_rps, sum(before.values())) - min(demand_rps, sum(after.values()))
    for each in weights:
        carried = sum(rps for pod, rps in after.items() if each[pod])
        had = sum(rps for pod, rps in before.items() if each[pod])
        assert carried >= min(had, demand_rps, sum(after.values())) - 1e-6
        lost = served_rps(before, each, demand_rps) - served_rps(after, each, demand_rps)
        assert lost <= max(0.0, at_best) + 1e-6


SMALL = Target("small")
OLD = replace(a_pod("small-1", 1000), outdated=True)
NEW = replace(a_pod("small-2", 1000), created_at_s=1.0)
NEWEST = replace(a_pod("small-3", 1000), created_at_s=2.0)


def gone(*names: str, older: Pod, planned: int) -> tuple[tuple[str, ...], int] | None:
    """Return the pods removed during a roll of two pods and a surge pod, and how many remain."""
    group = PodGroup(target=SMALL, allocation=allocation(1000), pods=planned)
    plan = replace(EMPTY_PLAN, groups=(group,) if planned else ())
    pods = (OLD, older, NEWEST)
    seen = Observed(pods=pods, desired_pods={SMALL: 2}, rolling=frozenset({SMALL}))
    found = remove(plan, match_pods(SERVICE, plan, seen), seen, dict.fromkeys(names), frozenset())
    return next(((tuple(sorted(s.pods)), s.remaining) for s in found), None)


STALE = replace(NEW, outdated=True)


@pytest.mark.parametrize(
    ("names", "older", "planned", "expected"),
    [
        (("small-1",), NEW, 1, None),  # the platform would remove either of two new pods
        (("small-1",), STALE, 1, (("small-1",), 1)),  # the roll removes the other old pod
        (("small-1", "small-3"), STALE, 0, None),  # no pod would be left
        (("small-1", "small-2", "small-3"), STALE, 0, (("small-1", "small-2", "small-3"), 0)),
    ],
)
def test_a_roll_is_not_left_to_take_a_pod_that_is_to_stay(
    names: tuple[str, ...], older: Pod, planned: int, expected: tuple[tuple[str, ...], int] | None
) -> None:
    assert gone(*names, older=older, planned=planned) == expected
