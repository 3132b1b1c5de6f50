import asyncio
import math
from dataclasses import dataclass, replace

import pytest

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.interval import student_95
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.settling import settles_s, too_high
from infadapter_server.profiling.steps import (
    Bench,
    Disturbed,
    Goal,
    SearchError,
    Seen,
    Step,
    backlog,
    seen,
)
from infadapter_server.profiling.turns import in_turns
from infadapter_workload.outcomes import STOPPED, Outcome
from tests.model_variants.virtual_bench import (
    Machine,
    Queue,
    capacity_rps,
    searched_alone,
    simulated_capacity_rps,
)

SERVICE_S = 0.003
GOAL = Goal(slo_s=10 * SERVICE_S, percentile=99, epsilon=0.01)
SEEDS = range(30)


def search(bench: Bench, goal: Goal = GOAL, *, seconds: float = 30, **more: bool | float) -> Search:
    saturation_rps = float(more.pop("saturation_rps", 1 / SERVICE_S))
    return Search(
        bench=bench,
        goal=goal,
        saturation_rps=saturation_rps,
        seconds=seconds,
        seed=0,
        force=bool(more.get("force", False)),
    )


def found(bench: Bench, goal: Goal = GOAL, **more: bool | float) -> KnownCapacity:
    return searched_alone(search(bench, goal, **more))


def within(capacity: float, known: KnownCapacity) -> bool:
    assert known.low_rps is not None
    assert known.high_rps is not None
    return known.low_rps <= capacity <= known.high_rps


@pytest.mark.parametrize("services", [4, 10, 20])
def test_the_capacity_of_a_queue_lies_in_the_interval_for_nine_seeds_of_ten(services: int) -> None:
    goal = replace(GOAL, slo_s=services * SERVICE_S)
    capacity = capacity_rps(SERVICE_S, goal)
    seconds = max(30, 120 * settles_s(goal.slo_s, 1 / SERVICE_S))  # what the command asks for
    runs = [found(Queue(SERVICE_S, seed), goal, seconds=seconds) for seed in SEEDS]
    assert sum(within(capacity, run) for run in runs) >= 0.9 * len(runs)
    rates = sorted(run.rps for run in runs)
    assert rates[len(rates) // 2] == pytest.approx(capacity, rel=0.05)


@pytest.mark.parametrize("speed", [0.2, 2])
def test_a_slower_or_faster_machine_is_measured_as_well(speed: float) -> None:
    service_s = SERVICE_S / speed
    goal = replace(GOAL, slo_s=10 * service_s)
    runs = [
        found(Queue(service_s, seed), goal, seconds=30 / speed, saturation_rps=1 / service_s)
        for seed in SEEDS
    ]
    capacity = capacity_rps(service_s, goal)
    assert sum(within(capacity, run) for run in runs) >= 0.9 * len(runs)


@pytest.mark.parametrize(("drift", "widest"), [(0.0, 0.2), (0.05, 0.45)])
def test_the_next_run_lies_in_the_interval_of_this_one(drift: float, widest: float) -> None:
    """Of an ideal queue, and of a machine whose speed varies by 5 % from window to window."""
    runs = [
        found(Queue(SERVICE_S, seed, machine=Machine(drift=drift, memory_s=3, seed=seed)))
        for seed in SEEDS
    ]
    pairs = [(one, other) for one in runs for other in runs if one is not other]
    assert sum(within(other.rps, one) for one, other in pairs) >= 0.85 * len(pairs)
    halves = sorted(((run.high_rps or 0) - (run.low_rps or 0)) / 2 / run.rps for run in runs)
    assert halves[len(halves) // 2] < widest


def test_of_a_server_that_refuses_what_would_be_late_the_goodput_is_found() -> None:
    capacity = simulated_capacity_rps(Queue(SERVICE_S, refuses=True), GOAL, seconds=200)
    runs = [found(Queue(SERVICE_S, seed, refuses=True)) for seed in SEEDS[:15]]
    assert sum(within(capacity, run) for run in runs) >= 0.9 * len(runs)
    assert capacity > capacity_rps(SERVICE_S, GOAL)  # nobody waits behind who is late anyhow


@pytest.mark.parametrize("seconds", [12, 24])
def test_a_run_too_short_for_long_queues_promises_no_more_than_holds(seconds: float) -> None:
    """Five minutes at 0.95 of what it says, where a queue of the SLO is 30 services long."""
    goal = replace(GOAL, slo_s=30 * SERVICE_S)
    runs = [found(Queue(SERVICE_S, seed), goal, seconds=seconds) for seed in SEEDS[:20]]
    rates = sorted(run.rps for run in runs)
    assert rates[len(rates) // 2] == pytest.approx(capacity_rps(SERVICE_S, goal), rel=0.03)
    held = [missed(0.95 * run.rps, goal, seed) for seed, run in enumerate(runs)]
    assert sum(ratio <= goal.epsilon for ratio in held) >= 0.9 * len(held)


def missed(rate_rps: float, goal: Goal, seed: int) -> float:
    step = Step(goal=goal, rate_rps=rate_rps, seconds=300, warm_up_s=0, seed=0)
    counted = asyncio.run(Queue(SERVICE_S, 1_000 + seed).take(step))
    return counted.missed / counted.sent


def test_what_haste_takes_away_goes_with_time_and_is_bounded() -> None:
    goal = replace(GOAL, slo_s=0.3)
    losses = [too_high(goal, 330, seconds, 0.1 * seconds) for seconds in (10, 100, 1_000)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] < goal.slo_s / 1.0 + 0.025  # a queue of the SLO, which a second has filled
    assert losses[-1] < 0.015


@pytest.mark.parametrize("wrong", [0.4, 2.5])
def test_a_wrong_saturation_is_only_where_the_search_begins(wrong: float) -> None:
    capacity = capacity_rps(SERVICE_S, GOAL)
    runs = [
        found(Queue(SERVICE_S, seed), seconds=60, saturation_rps=wrong / SERVICE_S)
        for seed in SEEDS[:10]
    ]
    assert sum(within(capacity, run) for run in runs) >= 9


def test_a_service_longer_than_the_slo_has_no_capacity() -> None:
    known = found(Queue(2 * GOAL.slo_s), saturation_rps=0.5 / GOAL.slo_s, seconds=2_000)
    assert (known.rps, known.low_rps, known.high_rps) == (0, 0, 0)


@pytest.mark.parametrize("seconds", [12, 30, 120])
def test_the_search_takes_the_time_that_it_was_given(seconds: float) -> None:
    queue = Queue(SERVICE_S)
    found(queue, seconds=seconds)
    assert sum(step.seconds for step in queue.steps) == pytest.approx(seconds, rel=0.1)
    assert all(step.warm_up_s >= 0.1 * (step.seconds - step.warm_up_s) for step in queue.steps)


def test_too_short_a_time_says_how_long_it_takes() -> None:
    with pytest.raises(SearchError, match=r"too short .* take longer, \d+ s"):
        found(Queue(SERVICE_S), seconds=0.5)


@dataclass
class Spoils:
    """A bench of which every so many-th step is disturbed, and says nonsense then."""

    queue: Queue
    every: int
    steps: int = 0

    async def take(self, step: Step) -> Seen:
        self.steps += 1
        good = await self.queue.take(step)
        if self.steps % self.every:
            return good
        return replace(good, missed=good.sent, unanswered=good.sent, tail=(), spoilt="it rained")


def test_what_was_disturbed_is_thrown_away_and_taken_again() -> None:
    known = found(Spoils(Queue(SERVICE_S), every=4))
    assert within(capacity_rps(SERVICE_S, GOAL), known)


def test_where_all_is_disturbed_nothing_is_said() -> None:
    with pytest.raises(Disturbed, match="Nothing was written: it rained; --force"):
        found(Spoils(Queue(SERVICE_S), every=1))


def test_a_forced_search_counts_what_was_disturbed_and_says_so() -> None:
    forced = search(Spoils(Queue(SERVICE_S), every=5), force=True)
    asyncio.run(in_turns([forced], 0))
    assert set(forced.warnings) == {"it rained"}


def test_a_server_that_fails_is_no_server_that_is_slow() -> None:
    @dataclass
    class Fails:
        async def take(self, step: Step) -> Seen:
            good = await Queue(SERVICE_S).take(step)
            return replace(good, failed=good.sent, unanswered=good.sent, tail=())

    with pytest.raises(SearchError, match=r"requests at .* requests/s failed"):
        found(Fails())


def test_epsilon_is_at_most_what_the_percentile_leaves() -> None:
    with pytest.raises(ValueError, match=r"at most 0\.01"):
        Goal(slo_s=1, percentile=99, epsilon=0.02)
    with pytest.raises(ValueError, match="above 0"):
        Goal(slo_s=1, percentile=99, epsilon=0)


def outcome(due_s: float, latency_s: float = 0.01, code: int = 200, late_s: float = 0) -> Outcome:
    return Outcome(scheduled_s=due_s, sent_s=due_s + late_s, done_s=due_s + latency_s, code=code)


TENTH = Goal(slo_s=0.1, percentile=90, epsilon=0.1)
STEP = Step(goal=TENTH, rate_rps=10, seconds=10, warm_up_s=2, seed=0)


def test_a_step_counts_what_was_due_after_the_warm_up() -> None:
    early = [outcome(0.1 * n, 9) for n in range(20)]
    good = [outcome(2 + 0.1 * n) for n in range(60)]
    late = [outcome(8 + 0.1 * n, 0.2) for n in range(10)]
    refused = [outcome(9 + 0.1 * n, 0.001, 503) for n in range(10)]
    counted = seen([*early, *good, *late, *refused], STEP)
    assert (counted.sent, counted.missed, counted.refused, counted.failed) == (80, 20, 10, 0)
    assert counted.unanswered == 10
    assert counted.tail[:11] == (*(10 * (2.0,)), 0.1)
    assert counted.spoilt is None


def test_an_error_is_a_failure_and_what_we_gave_up_is_not() -> None:
    error = outcome(3, code=500)
    broken = replace(outcome(4, code=0), error="the connection was closed")
    stopped = replace(outcome(5, code=0), error=STOPPED)
    counted = seen([error, broken, stopped], STEP)
    assert (counted.missed, counted.failed, counted.unanswered) == (3, 2, 3)


def test_a_generator_that_is_late_has_measured_itself() -> None:
    late = [outcome(2 + 0.01 * n, late_s=0.02) for n in range(100)]
    spoilt = seen(late, STEP).spoilt
    assert spoilt is not None
    assert "the generator was the bottleneck: it sent up to 20 ms late" in spoilt


def test_a_backlog_grows_with_rate_slo_and_speed() -> None:
    assert backlog(10, 0.05, 20) == 128
    assert backlog(1_000, 0.1, 1_200) == 600
    assert backlog(100, 2, 120) == 1_000


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (3, 3.182), (5, 2.571), (9, 2.262), (30, 2.042)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_95(freedom) == pytest.approx(quantile, rel=0.004)
    assert student_95(10_000) == pytest.approx(1.96, abs=0.001)
    assert math.isfinite(student_95(4))
