"""Several executors of one model with points: whoever comes waits for the first that is free."""

import random
from collections import Counter

import pytest

from infadapter_scheduler import (
    Arrival,
    Arrived,
    ExecutorJoined,
    Finished,
    Model,
    Point,
    Run,
    Scheduler,
    World,
    replay,
    with_points,
)
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.model import Costs
from infadapter_scheduler.points.rivals import MaxAccuracy
from infadapter_scheduler.pressure import Pressure

SIZES = range(1, 9)
FAST = Point("fast", 58.0, {b: 0.008 + 0.0145 * b for b in SIZES})
GOOD = Point("good", 72.0, {b: 0.012 + 0.0158 * b for b in SIZES})
NET = with_points("net", [FAST, GOOD])
SLO_S, EXECUTORS = 0.150, 60


def test_a_batch_may_take_more_of_the_slo_where_another_executor_is_free_half_way() -> None:
    alone, shared = (Costs(NET).cap(SLO_S, SafetyBuffer(), waited) for waited in (1.0, 0.5))
    assert (alone, shared) == (4, 6)


def test_an_executor_that_is_free_early_takes_over_what_waits_for_another() -> None:
    made = Scheduler([NET], points=MaxAccuracy())
    for name in ("a", "b"):
        made.handle(ExecutorJoined(name, None, ("net",)), 0.0)
    first, second = (
        run_of(made, Arrived(number, "net", 1.0), now_s) for number, now_s in ((1, 0.0), (2, 0.001))
    )
    assert made.handle(Arrived(3, "net", 1.0), 0.002) == []
    early_s = 0.005
    ended = Finished(second.executor, second.run, 0.001, early_s)
    third = run_of(made, ended, early_s)
    assert (third.executor, third.batch) == (second.executor, (3,))
    last_s = first.expected_s
    assert made.handle(Finished(first.executor, first.run, 0.0, last_s), last_s) == []


def run_of(made: Scheduler, event: Arrived | Finished, now_s: float) -> Run:
    (run,) = made.handle(event, now_s)
    assert isinstance(run, Run)
    return run


@pytest.mark.parametrize(("load", "refused"), [(0.90, 0.001), (0.94, 0.005)])
def test_nearly_all_that_many_executors_can_serve_is_served(load: float, refused: float) -> None:
    rate_rps = load * EXECUTORS * 6 / FAST.execution_s[6]
    outcomes = served(NET, rate_rps, seconds=2.0)
    assert outcomes["late"] == 0
    assert outcomes["refused"] <= refused * sum(outcomes.values())


def served(model: Model, rate_rps: float, seconds: float) -> Counter[str | None]:
    draw, now_s, arrivals = random.Random(5), 0.0, []
    while (now_s := now_s + draw.expovariate(rate_rps)) < seconds:
        arrivals.append(Arrival(now_s, "net", SLO_S))
    fates = replay(Scheduler([model]), arrivals, World({"net": model}, EXECUTORS))
    return Counter(fate.outcome for fate in fates)


def test_the_load_of_many_executors_is_known_within_seconds() -> None:
    """300 arrivals of 16 ms are five seconds of one executor, and a moment of sixty."""
    pressure, now_s = Pressure(executors=EXECUTORS), 0.0
    for rate_rps in (1_800, 3_600):
        for _ in range(3 * rate_rps):
            now_s += 1 / rate_rps
            pressure.arrived(0.016, now_s)
    assert pressure.load == pytest.approx(0.016 * 3_600 / EXECUTORS, rel=0.05)
