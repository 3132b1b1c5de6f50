"""The numbers are those of a step that was run through the original's arithmetic."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from infadapter_simulator.policies.kubernetes.kpa_rules import (
    Decider,
    Window,
    old_first,
    scraped_pods,
    target_concurrency,
)


def decisions(
    decider: Decider, concurrency: Callable[[int], float], pods: int, until_s: int, start_s: int = 6
) -> dict[int, int]:
    """Of a service with so many pods at 0: each change. Scraped each second, ticks on even ones."""
    ready_at = [0] * pods
    changes: dict[int, int] = {}
    for second in range(1, until_s):
        decider.record(second, concurrency(second))
        if second % 2:
            continue
        wanted = decider.wanted(second, sum(at <= second for at in ready_at))
        assert wanted is not None
        if wanted != len(ready_at):
            changes[second] = wanted
        ready_at = sorted(ready_at)[:wanted]
        ready_at += [second + start_s] * (wanted - len(ready_at))
    return changes


def step(second: int) -> float:
    """45 requests per second, from 120 s on 220, from 320 s on 45; each takes 0.1 s, none waits."""
    return 22.0 if 120 < second <= 320 else 4.5


def test_panics_when_the_load_doubles_and_grows_with_each_tick() -> None:
    found = decisions(Decider(target_concurrency(1, 0.7)), step, 7, 320)
    assert found == {122: 15, 124: 24, 126: 32}


def test_panic_lasts_until_a_minute_after_the_last_tick_that_was_over_the_threshold() -> None:
    decider, since = Decider(target_concurrency(1, 0.7)), {}

    def watched(second: int) -> float:
        since[second - 1] = decider.panic_since_s
        return step(second)

    decisions(decider, watched, 7, 250)
    assert since[120] is None
    assert since[122] == 122
    assert since[189] == 128
    assert since[190] is None


def test_falls_by_one_or_two_pods_a_tick_as_the_stable_window_forgets() -> None:
    found = decisions(Decider(target_concurrency(1, 0.7)), step, 7, 420)
    falling = {at: pods for at, pods in found.items() if at > 320}
    assert min(falling) == 322
    assert falling[322] == 31
    assert max(falling) == 380
    assert falling[380] == 7
    sizes = [32, *falling.values()]
    assert {a - b for a, b in pairwise(sizes)} <= {1, 2}


def test_larger_pods_grow_to_what_holds_the_same_requests() -> None:
    found = decisions(Decider(target_concurrency(10, 0.7)), step, 1, 320)
    assert found == {122: 2, 124: 3, 126: 4}


def test_one_pod_panics_at_anything_above_its_target() -> None:
    decider = Decider(target=7.0)
    for second in range(60):
        decider.record(second, 7.1)
    decider.wanted(59.0, ready=1)
    assert decider.panic_since_s == 59.0


def test_the_target_is_divided_in_floating_point() -> None:
    decider = Decider(target=0.7)
    for second in range(120):
        decider.record(second, 21.0)
    assert decider.wanted(119.0, ready=31) == 31


def test_falls_to_half_of_the_ready_pods_at_most() -> None:
    decider = Decider(target=1.0)
    for second in range(120):
        decider.record(second, 0.0)
    assert decider.wanted(119.0, ready=31) == 15


def test_knows_nothing_after_a_minute_of_silence() -> None:
    decider = Decider(target=1.0)
    for second in range(120):
        decider.record(second, 31.0)
    assert decider.wanted(119.0 + 59, ready=31) == 31
    assert decider.wanted(119.0 + 60, ready=31) == 15
    assert decider.wanted(119.0 + 61, ready=31) is None
    assert Decider(target=1.0).wanted(0.0, ready=1) is None


def test_a_hole_is_zero_once_something_was_written_after_it() -> None:
    window = Window(6)
    for second in (0, 1, 2, 3, 5):
        window.record(second, 20.0)
    assert window.average(5) == pytest.approx(16.67, abs=0.01)


def test_silence_at_the_end_is_not_zero_until_the_window_has_passed() -> None:
    window = Window(6)
    for second in range(10):
        window.record(second, 20.0)
    assert window.average(12) == 20.0
    assert window.average(15) == 0.0


def test_a_young_window_is_a_short_one() -> None:
    window = Window(60)
    window.record(100, 3.0)
    window.record(101, 5.0)
    assert window.average(101) == 4.0


def test_a_gap_as_long_as_the_window_begins_it_anew() -> None:
    window = Window(6)
    window.record(0, 100.0)
    window.record(6, 2.0)
    assert window.average(6) == 2.0


def test_reports_of_the_same_second_add_up() -> None:
    window = Window(6)
    window.record(0, 1.0)
    window.record(0, 2.0)
    assert window.average(0) == 3.0


@pytest.mark.parametrize(("pods", "asked"), [(1, 1), (3, 3), (4, 4), (10, 7), (100, 14)])
def test_asks_a_sample_of_many_pods(pods: int, asked: int) -> None:
    assert scraped_pods(pods) == asked


def test_prefers_pods_that_are_a_stable_window_old() -> None:
    assert old_first([(1, 50.0), (2, -60.0), (3, 0.0), (4, 60.0)], 60.0) == [2, 3, 1, 4]
