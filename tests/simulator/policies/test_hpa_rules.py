"""The numbers are those of the original controller, worked out beside its source."""

from dataclasses import dataclass, replace

import pytest

from infadapter_simulator.policies.kubernetes.hpa_rules import (
    PodSeen,
    Stabiliser,
    Usage,
    average_value_proposal,
    cpu_proposal,
    is_within,
)

OLD = PodSeen(
    pending=False,
    request_millicores=1000,
    started_at_s=-1e6,
    ready=True,
    ready_since_s=-1e6,
    was_ready=True,
    usage=Usage(millicores=600, window_s=15.0, at_s=0.0),
)


def using(millicores: int) -> PodSeen:
    return replace(OLD, usage=Usage(millicores=millicores, window_s=15.0, at_s=0.0))


@pytest.mark.parametrize(
    ("target", "percent", "pods"),
    [
        (60, 66, 10),
        (60, 67, 12),
        (60, 54, 10),
        (60, 53, 9),
        (80, 88, 10),
        (80, 89, 12),
        (80, 71, 9),
    ],
)
def test_acts_only_beyond_a_tenth_of_the_target(target: int, percent: int, pods: int) -> None:
    assert cpu_proposal([using(10 * percent)] * 10, target, 10, 0.0) == pods


def test_utilisation_is_cut_to_whole_percent_first() -> None:
    assert cpu_proposal([using(669)], 60, 1, 0.0) == 1
    assert cpu_proposal([using(670)], 60, 1, 0.0) == 2


def test_both_ends_of_the_tolerance_change_nothing() -> None:
    assert is_within(0.9)
    assert is_within(1.1)


def test_a_pod_that_starts_counts_as_idle_on_the_way_up() -> None:
    young = replace(using(0), started_at_s=-10.0, ready=False, was_ready=False)
    assert cpu_proposal([using(1000)], 60, 2, 0.0) == 2
    assert cpu_proposal([using(1000), young], 60, 2, 0.0) == 2  # 50 % of both: it would turn round
    assert cpu_proposal([using(1000), using(1000), young], 60, 3, 0.0) == 3  # 66 %: near enough


def test_a_young_pod_counts_once_a_window_lies_behind_its_readiness() -> None:
    young = replace(using(1000), started_at_s=-60.0, ready_since_s=-15.0)
    younger = replace(young, ready_since_s=-14.9)
    assert cpu_proposal([using(1000), young], 60, 2, 0.0) == 4
    assert cpu_proposal([using(1000), younger], 60, 2, 0.0) == 2


def test_an_old_pod_that_is_no_longer_ready_still_counts() -> None:
    broken = replace(using(0), ready=False)
    assert cpu_proposal([using(1000), broken], 60, 2, 0.0) == 2
    never = replace(broken, was_ready=False)
    assert cpu_proposal([using(500), never], 60, 2, 0.0) == 1


def test_a_pod_without_metrics_counts_as_full_on_the_way_down() -> None:
    unknown = replace(OLD, usage=None)
    assert cpu_proposal([using(100), using(100), unknown], 60, 3, 0.0) == 2  # not the 1 of the two
    assert cpu_proposal([using(500), unknown], 60, 2, 0.0) == 2


def test_a_pod_that_is_pending_is_left_out_on_the_way_down() -> None:
    pending = replace(OLD, usage=None, pending=True, ready=False, was_ready=False)
    assert cpu_proposal([using(100), using(100), pending], 60, 3, 0.0) == 1


def test_nothing_is_proposed_where_nothing_is_known() -> None:
    assert cpu_proposal([replace(OLD, usage=None)], 60, 1, 0.0) is None


def test_an_external_metric_counts_created_pods_and_stops_short_within_the_tolerance() -> None:
    assert average_value_proposal(220.0, 7.0, 7) == 32
    assert average_value_proposal(220.0, 7.0, 29) == 29
    assert average_value_proposal(220.0, 7.0, 28) == 32


def test_grows_to_four_at_first_then_at_most_doubles() -> None:
    stabiliser = Stabiliser()
    sizes = [1]
    for sync in range(5):
        sizes.append(stabiliser.pods(15.0 * sync, sizes[-1], 100, 32))
    assert sizes == [1, 4, 8, 16, 32, 32]


def test_the_first_size_that_it_saw_is_kept_for_five_minutes() -> None:
    stabiliser = Stabiliser()
    sizes = {at_s: stabiliser.pods(at_s, 7, 2, 10) for at_s in (0.0, 150.0, 300.0, 315.0)}
    assert sizes == {0.0: 7, 150.0: 7, 300.0: 7, 315.0: 2}


def test_a_spike_is_grown_towards_after_it_has_gone() -> None:
    """A rate of 700 for 30 s, 7 a pod: the raw proposal is remembered, not the limited one."""
    stabiliser, pods, seen = Stabiliser(), 1, {}
    for sync in range(26):
        at_s = 15.0 * sync
        raw = average_value_proposal(700.0 if at_s < 45 else 7.0, 7.0, pods)
        pods = stabiliser.pods(at_s, pods, raw, 100)
        seen[at_s] = pods
    assert [seen[at_s] for at_s in (0.0, 15.0, 30.0, 45.0, 60.0, 75.0)] == [4, 8, 16, 32, 64, 100]
    assert seen[330.0] == 100
    assert seen[345.0] == 1


@dataclass
class Made:
    created_s: float
    ready_s: float


@pytest.mark.parametrize(
    ("start_s", "changes"), [(30, {9: 2, 69: 4, 129: 5}), (120, {9: 2, 159: 4, 309: 5})]
)
def test_saturated_pods_hide_how_much_is_missing(start_s: int, changes: dict[int, int]) -> None:
    """
    45 to 220 requests per second at time 0, 75 a pod at most, target 60 %: five pods are needed.
    Windows of 15 s that end at 8, 23, 38 ... s; syncs at 9, 24, 39 ... s.
    """
    pods = [Made(-1e6, -1e6)]
    stabiliser, found = Stabiliser(), {}

    def busy(pod: Made, second: int) -> float:
        ready = sum(one.ready_s <= second for one in pods)
        rate = 220 if second >= 0 else 45
        return min(1.0, rate / ready / 75) if pod.ready_s <= second else 0.0

    def seen(pod: Made, end_s: int) -> PodSeen:
        mean = sum(busy(pod, second) for second in range(end_s - 15, end_s)) / 15
        usage = Usage(millicores=int(1000 * mean), window_s=15.0, at_s=end_s)
        return PodSeen(
            pending=False,
            request_millicores=1000,
            started_at_s=pod.created_s,
            ready=pod.ready_s <= end_s + 1,
            ready_since_s=pod.ready_s,
            was_ready=True,
            usage=usage if end_s - pod.created_s >= 15 else None,
        )

    for now_s in range(-6, 400, 15):
        proposal = cpu_proposal([seen(pod, now_s - 1) for pod in pods], 60, len(pods), now_s)
        assert proposal is not None
        wanted = stabiliser.pods(now_s, len(pods), proposal, 100)
        if wanted != len(pods):
            found[now_s] = wanted
        pods += [Made(now_s, now_s + start_s) for _ in range(wanted - len(pods))]
    assert found == changes
