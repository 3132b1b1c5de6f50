import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.rollout.traffic_split import (
    FILL,
    WHOLE,
    WORTH_WRITING,
    Candidate,
    ideal_shares,
    shares_of,
    weights_for,
    whole_weights,
)
from infadapter_profiles.sizes import Allocation, PodSize, PointCapacity, Segment
from infadapter_solver.problem import Target


def pod(name: str, accuracy: float, rps: float, *, reserve: bool = False) -> Candidate:
    return Candidate(
        pod=name, target=Target(name), segments=(Segment(rps, accuracy),), reserve=reserve
    )


def grouped(name: str, *segments: tuple[float, float]) -> Candidate:
    """Return a pod with operating points: rate and marginal accuracy of each segment."""
    return Candidate(
        pod=name, target=Target(name), segments=tuple(Segment(*each) for each in segments)
    )


GOOD = pod("good", 0.78, 20.0)
FAST = pod("fast", 0.70, 100.0)

pods = st.lists(
    st.tuples(
        st.sampled_from([0.7, 0.75, 0.78]), st.sampled_from([0.0, 3.0, 20.0, 90.0]), st.booleans()
    ),
    max_size=8,
).map(lambda found: [pod(f"p{i}", a, c, reserve=r) for i, (a, c, r) in enumerate(found)])
demands = st.floats(0, 500)


def test_the_most_accurate_is_filled_first() -> None:
    assert ideal_shares([FAST, GOOD], 10.0) == {"good": 1.0}


def test_what_it_can_not_take_with_a_margin_goes_to_the_next() -> None:
    shares = ideal_shares([FAST, GOOD], 40.0)
    assert shares["good"] * 40.0 == pytest.approx(FILL * 20.0)


def test_overload_is_shared_in_proportion_to_capacity() -> None:
    shares = ideal_shares([FAST, GOOD], 300.0)
    assert shares["fast"] / shares["good"] == pytest.approx(5.0)


def test_pods_of_one_accuracy_are_equally_full() -> None:
    shares = ideal_shares([pod("a", 0.7, 20.0), pod("b", 0.7, 40.0)], 9.0)
    assert shares["b"] == pytest.approx(2 * shares["a"])


def test_without_demand_the_best_gets_what_may_come() -> None:
    assert ideal_shares([FAST, GOOD], 0.0) == {"good": 1.0}


def test_nothing_ready_is_no_backend() -> None:
    assert weights_for([], 10.0, {"gone": 1000}) == {}


def test_a_pod_to_be_levelled_waits_while_the_others_suffice() -> None:
    new = pod("new", 0.78, 20.0, reserve=True)
    assert "new" not in ideal_shares([FAST, new], 50.0)
    assert "new" in ideal_shares([FAST, new], 110.0)


def test_a_pod_to_be_levelled_serves_when_it_is_the_only_one() -> None:
    alone = pod("new", 0.78, 20.0, reserve=True)
    assert ideal_shares([alone], 0.0) == {"new": 1.0}


def test_a_pod_of_unknown_capacity_takes_only_what_nobody_else_can() -> None:
    unknown = pod("unknown", 0.0, 0.0)
    assert "unknown" not in ideal_shares([GOOD, unknown], 20.0)
    assert ideal_shares([GOOD, unknown], 40.0)["unknown"] == pytest.approx(0.5)
    assert ideal_shares([unknown], 0.0) == {"unknown": 1.0}


def test_weights_in_force_stay_while_they_are_nearly_as_good() -> None:
    in_force = weights_for([FAST, GOOD], 40.0, {})
    assert weights_for([FAST, GOOD], 41.0, in_force) == in_force
    assert weights_for([FAST, GOOD], 39.0, in_force) == in_force


def test_weights_in_force_go_when_a_pod_would_be_overfull() -> None:
    in_force = weights_for([FAST, GOOD], 40.0, {})
    assert weights_for([FAST, GOOD], 60.0, in_force) != in_force


def test_weights_in_force_go_when_accuracy_is_lost() -> None:
    in_force = weights_for([FAST, GOOD], 80.0, {})
    assert weights_for([FAST, GOOD], 20.0, in_force) != in_force


def test_weights_in_force_go_when_a_pod_has_gone() -> None:
    assert weights_for([GOOD], 10.0, {"good": 500, "gone": 500}) == {"good": WHOLE}


def test_a_new_twin_relieves_the_others() -> None:
    twins = [pod("a", 0.7, 20.0), pod("b", 0.7, 20.0)]
    assert set(weights_for(twins, 19.0, {"a": WHOLE})) == {"a", "b"}


def test_whoever_has_a_share_has_a_weight() -> None:
    assert whole_weights({"a": 1 - 1e-6, "b": 1e-6}) == {"a": WHOLE, "b": 1}


@given(backends=pods, demand_rps=demands)
def test_shares_sum_to_one_and_name_only_candidates(
    backends: list[Candidate], demand_rps: float
) -> None:
    shares = ideal_shares(backends, demand_rps)
    assert set(shares) <= {backend.pod for backend in backends}
    assert all(share > 0 for share in shares.values())
    assert bool(shares) == bool(backends)
    assert not shares or sum(shares.values()) == pytest.approx(1.0)


@given(backends=pods, demand_rps=demands)
def test_nobody_is_overfull_while_there_is_room(
    backends: list[Candidate], demand_rps: float
) -> None:
    shares = ideal_shares(backends, demand_rps)
    capacity = {backend.pod: backend.capacity_rps for backend in backends}
    if sum(capacity.values()) >= demand_rps > 0:
        assert all(s * demand_rps <= capacity[p] * (1 + 1e-9) + 1e-6 for p, s in shares.items())


@given(backends=pods, before_rps=demands, demand_rps=demands)
def test_weights_are_stable_and_nearly_ideal(
    backends: list[Candidate], before_rps: float, demand_rps: float
) -> None:
    weights = weights_for(backends, demand_rps, weights_for(backends, before_rps, {}))
    assert weights_for(backends, demand_rps, weights) == weights
    accuracy = {backend.pod: backend.segments[0].accuracy for backend in backends}
    served = sum(share * accuracy[p] for p, share in shares_of(weights).items())
    ideal = sum(share * accuracy[p] for p, share in ideal_shares(backends, demand_rps).items())
    assert served >= ideal - WORTH_WRITING - len(backends) / WHOLE


# --- pods with operating points -----------------------------------------------------------------


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    """Draw up to three pods of up to three segments, so that FILL × rate is a whole number."""
    accuracies = st.lists(st.sampled_from([-3, 1, 4, 6, 7, 8]), min_size=1, max_size=3, unique=True)
    found = []
    for number in range(draw(st.integers(1, 3))):
        falling = sorted(draw(accuracies), reverse=True)
        rates = draw(st.tuples(*[st.integers(1, 3) for _ in falling]))
        segments = [(n / FILL, a / 10) for n, a in zip(rates, falling, strict=True)]
        found.append(grouped(f"p{number}", *segments))
    return found


def worth(fleet: list[Candidate], loads: tuple[float, ...]) -> float:
    """Return the accuracy of these loads, with each segment filled up to FILL of its rate."""
    total = 0.0
    for one, load in zip(fleet, loads, strict=True):
        left = load
        for segment in one.segments:
            taken = min(left, FILL * segment.rps)
            total, left = total + taken * segment.accuracy, left - taken
    return total


@given(fleet=fleets(), part=st.floats(0.05, 0.99))
def test_no_other_way_to_fill_pods_is_more_accurate(fleet: list[Candidate], part: float) -> None:
    """Compare with all whole loads: as segments are whole, one of these is optimal."""
    rooms = [round(FILL * one.capacity_rps) for one in fleet]
    demand = max(1, int(part * sum(rooms)))
    shares = ideal_shares(fleet, float(demand))
    found = worth(fleet, tuple(demand * shares.get(one.pod, 0.0) for one in fleet))
    others = itertools.product(*(range(room + 1) for room in rooms))
    best = max(worth(fleet, loads) for loads in others if sum(loads) == demand)
    assert found == pytest.approx(best, abs=1e-9)


def test_a_pod_goes_on_with_faster_points_where_others_are_full() -> None:
    ladder = grouped("ladder", (10.0, 0.8), (30.0, 0.6))
    other = pod("other", 0.7, 20.0)
    assert ideal_shares([ladder, other], 9.0) == {"ladder": 1.0}
    shares = ideal_shares([ladder, other], 27.0)
    assert shares == pytest.approx({"ladder": 9 / 27, "other": 18 / 27})
    shares = ideal_shares([ladder, other], 40.0)
    assert shares == pytest.approx({"ladder": 22 / 40, "other": 18 / 40})


def test_twins_of_other_sizes_are_equally_full() -> None:
    third = 1 / 3
    points = (
        PointCapacity(name="good", accuracy=0.8, capacity_ratio=third),
        PointCapacity(name="fast", accuracy=0.7, capacity_ratio=1.0),
    )
    sizes = {"small": 7.1, "large": 13.7}
    twins = [
        Candidate(
            pod=name,
            target=Target("twins"),
            segments=Allocation(size=PodSize(), capacity_rps=rps, points=points).segments(0.8),
        )
        for name, rps in sizes.items()
    ]
    shares = ideal_shares(twins, 12.0)
    assert shares["small"] / 7.1 == pytest.approx(shares["large"] / 13.7)


def test_weights_stay_while_only_a_faster_point_answers_more() -> None:
    """A single pod gets all traffic, whichever point answers, so nothing is gained."""
    ladder = grouped("ladder", (10.0, 0.8), (90.0, 0.6))
    assert weights_for([ladder], 80.0, {"ladder": WHOLE}) == {"ladder": WHOLE}


def test_weights_go_when_a_pod_answers_with_its_faster_points_beside_an_idle_one() -> None:
    ladder = grouped("ladder", (10.0, 0.8), (90.0, 0.6))
    other = pod("other", 0.78, 50.0)
    assert "other" in weights_for([ladder, other], 40.0, {"ladder": WHOLE})
    assert weights_for([ladder, other], 8.0, {"ladder": WHOLE}) == {"ladder": WHOLE}


@given(fleet=fleets(), before_rps=st.floats(0, 30), demand_rps=st.floats(0, 30))
def test_weights_of_pods_with_points_are_stable(
    fleet: list[Candidate], before_rps: float, demand_rps: float
) -> None:
    weights = weights_for(fleet, demand_rps, weights_for(fleet, before_rps, {}))
    assert weights_for(fleet, demand_rps, weights) == weights
