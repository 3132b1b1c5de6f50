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
from infadapter_profiles.sizes import Segment
from infadapter_solver.problem import Target


def pod(name: str, accuracy: float, rps: float, *, reserve: bool = False) -> Candidate:
    return Candidate(
        pod=name, target=Target(name), segments=(Segment(rps, accuracy),), reserve=reserve
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
