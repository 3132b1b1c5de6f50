"""The interval of a capacity: chance, the machine's drift, and searches that take turns."""

import asyncio
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.crossing import Window, expected
from infadapter_server.profiling.drift import LEAST_SPEEDS, Speed, _of_a_mean, between_runs
from infadapter_server.profiling.interval import with_interval
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.steps import PARTS, Goal, Seen, Step, seen
from infadapter_server.profiling.turns import in_turns
from infadapter_workload.outcomes import Outcome
from tests.model_variants.virtual_bench import Machine, Queue, searched_alone

SERVICE_S, RUN_S, WINDOWS = 0.003, 42.0, 10
GOAL = Goal(slo_s=10 * SERVICE_S, percentile=99, epsilon=0.01)
SEEDS = range(40)


def speeds_of(machine: Machine, parts: int = WINDOWS * PARTS) -> list[Speed]:
    """As a run sees them, each half-way through its part."""
    part_s = RUN_S / parts
    speeds = []
    for part in range(parts):
        machine.wait(part_s / 2)
        speeds.append(Speed((part + 0.5) * part_s, machine.now))
        machine.wait(part_s / 2)
    return speeds


def mean(speeds: list[Speed]) -> float:
    return sum(speed.logarithm for speed in speeds) / len(speeds)


@pytest.mark.parametrize("memory_s", [3, 30, 100, 300])
@pytest.mark.parametrize("drift", [0.05, 0.15])
def test_a_drifting_machine_is_next_time_where_its_drift_let_expect(
    memory_s: float, drift: float
) -> None:
    held = 0
    for seed in SEEDS:
        machine = Machine(drift=drift, memory_s=memory_s, seed=seed)
        first = speeds_of(machine)
        machine.wait(RUN_S / 2)
        half = between_runs(first, RUN_S, WINDOWS)
        assert half is not None
        held += abs(mean(speeds_of(machine)) - mean(first)) <= half
    assert held >= 0.8 * len(SEEDS)


def test_a_machine_that_does_not_drift_widens_nothing_and_jitter_little() -> None:
    steady = [Speed(float(at_s), 0.3) for at_s in range(40)]
    assert (between_runs(steady, RUN_S, WINDOWS) or 0) < 1e-5
    rng = np.random.default_rng(1)
    jitter = [replace(speed, logarithm=0.01 * rng.normal()) for speed in steady]
    assert 0 < (between_runs(jitter, RUN_S, WINDOWS) or 0) < 0.12


def test_of_too_few_speeds_nothing_follows() -> None:
    assert between_runs(speeds_of(Machine(), LEAST_SPEEDS - 1), RUN_S, WINDOWS) is None


@pytest.mark.parametrize("memory_s", [1, 10, 100])
def test_the_mean_over_a_run_varies_as_that_of_simulated_runs(memory_s: float) -> None:
    machine = Machine(drift=1.0, memory_s=memory_s)
    means = []
    for _ in range(1_000):
        machine.wait(10 * memory_s)
        means.append(mean(speeds_of(machine, parts=40)))
    assert np.var(means) == pytest.approx(_of_a_mean(RUN_S / memory_s), rel=0.15)


def alike(missed: int) -> list[Window]:
    """Six windows that agree: as many as may be missed are, in each of them."""
    tail = (*(missed * (1.0 + 1e-6,)), *(missed * 9 * (0.9,)))
    each = Seen(
        sent=100 * missed,
        missed=missed,
        refused=0,
        failed=0,
        unanswered=0,
        tail=tail,
        late_p99_s=0.0,
    )
    return [Window(250.0, each)] * 6


def half(known: KnownCapacity) -> float:
    assert known.high_rps is not None
    return math.log(known.high_rps / known.rps)


@pytest.mark.parametrize("missed", [3, 12])
def test_windows_that_agree_by_luck_state_what_a_queue_leaves_to_chance(missed: int) -> None:
    known = with_interval(alike(missed), GOAL, expected(GOAL, 250), drift=0.0)
    chance = math.sqrt(2 / missed) / math.log(100)
    assert half(known) == pytest.approx(2.571 * chance * math.sqrt(2 / 6), rel=0.01)


def test_chance_and_drift_add_as_squares() -> None:
    windows, start = alike(5), expected(GOAL, 250)
    calm = half(with_interval(windows, GOAL, start, drift=0.0))
    assert half(with_interval(windows, GOAL, start, drift=0.1)) == pytest.approx(
        math.hypot(calm, 0.1)
    )


def search(bench: Queue, slo_s: float = GOAL.slo_s, seed: int = 0) -> Search:
    return Search(
        bench=bench,
        goal=replace(GOAL, slo_s=slo_s),
        saturation_rps=1 / SERVICE_S,
        seconds=RUN_S,
        seed=seed,
    )


def found(bench: Queue) -> KnownCapacity:
    return searched_alone(search(bench))


def test_where_windows_differ_by_more_than_chance_the_next_run_may_be_as_one_of_them() -> None:
    stalling = Machine(stalls_per_minute=3, seed=3)
    taken = search(Queue(SERVICE_S, 3, machine=stalling))
    known = searched_alone(taken)
    assert half(known) > 2 * half(found(Queue(SERVICE_S, 3)))


def test_an_interval_is_never_wider_than_ten_times_either_way() -> None:
    known = with_interval(alike(5), GOAL, expected(GOAL, 250), drift=9.0)
    assert half(known) == pytest.approx(math.log(10))


@pytest.mark.parametrize(
    "machine",
    [
        Machine(),
        Machine(drift=0.1, memory_s=30),
        Machine(drift=0.1, memory_s=300),
        Machine(stalls_per_minute=1),
    ],
    ids=["steady", "half a minute", "five minutes", "stalls"],
)
def test_the_next_capacity_lies_in_the_interval(machine: Machine) -> None:
    def pair(seed: int) -> tuple[KnownCapacity, KnownCapacity]:
        now = replace(machine, seed=seed)
        queue = Queue(SERVICE_S, seed, machine=now)
        first = found(queue)
        now.wait(20)
        return first, found(queue)

    pairs = [pair(seed) for seed in range(25)]
    held = [(one.low_rps or 0) <= other.rps <= (one.high_rps or 0) for one, other in pairs]
    assert sum(held) >= 0.8 * len(held)


def test_searches_take_turns_so_that_each_sees_all_of_the_time() -> None:
    queue = Queue(SERVICE_S)
    slos_s = (0.03, 0.06)
    asyncio.run(in_turns([search(queue, slo_s, seed) for seed, slo_s in enumerate(slos_s)], 7))
    order = [step.goal.slo_s for step in queue.steps]
    windows = order[order.index(0.06) + 1 :]  # the brackets come first
    changes = sum(one != other for one, other in pairwise(windows))
    assert changes >= len(windows) // 2
    again = Queue(SERVICE_S)
    asyncio.run(in_turns([search(again, slo_s, seed) for seed, slo_s in enumerate(slos_s)], 7))
    assert again.steps == queue.steps  # an interrupted run goes on by that


def test_requests_that_met_no_other_tell_the_speed_in_each_part() -> None:
    step = Step(goal=GOAL, rate_rps=10, seconds=5, warm_up_s=1, seed=0)
    alone = [outcome(0.25 * number, 0.05 * (1 + number // 12)) for number in range(20)]
    behind = [outcome(0.25 * number + 0.01, 0.2) for number in range(20)]
    queued = [outcome(0.25 * number, 0.3) for number in range(20)]
    assert seen([*behind, *alone], step).alone_s == (0.05, 0.1)
    assert seen(queued, step).alone_s == (None, None)
    assert seen(alone[:9], step).alone_s == (0.05, None)


def outcome(due_s: float, takes_s: float) -> Outcome:
    return Outcome(scheduled_s=due_s, sent_s=due_s, done_s=due_s + takes_s, code=200)
