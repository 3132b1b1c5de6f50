"""Batch sizes that are believed to be slow are tried: throughput isn't lost for an estimate."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_scheduler import Arrival, Model, Scheduler, World, replay, with_points
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_scheduler.points import Point
from infadapter_scheduler.size_trial import doubt
from infadapter_scheduler.trial import FIRST_S, RARE_S

ALONE_S, SLO_S = 0.01, 0.3
GAINING = {1: ALONE_S, 2: 0.012, 4: 0.016, 8: 0.024}
LITTLE = {1: ALONE_S, 2: 0.018, 4: 0.034, 8: 0.066}
NOT = {1: ALONE_S, 2: 0.025, 4: 0.05, 8: 0.1}
SETTLED_S = 5 * FIRST_S
"""After three sizes, one after another, each a second after a refusal, and the queue that was."""


def plain(execution_s: Mapping[int, float]) -> Model:
    return Model("m", execution_s)


def net(execution_s: Mapping[int, float]) -> Model:
    """A ladder of two, of which the more accurate one takes twice as long."""
    longer = {size: 2 * seconds for size, seconds in execution_s.items()}
    return with_points("m", [Point("small", 0.7, execution_s), Point("large", 0.8, longer)])


def scheduler_of(model: Model, *, trials: bool = True) -> Scheduler:
    return Scheduler([model], most_buffer=MOST_OF_THE_TIME, trials=trials)


def arrivals_of(seconds: float, rps: float, seed: int = 1) -> list[Arrival]:
    draw, at_s, found = random.Random(seed), 0.0, list[Arrival]()
    while at_s < seconds:
        at_s += draw.expovariate(rps)
        found.append(Arrival(at_s, "m", SLO_S))
    return found


def outcomes(
    scheduler: Scheduler, real: Model, arrivals: Sequence[Arrival], after_s: float = 0.0
) -> Counter[str | None]:
    fates = replay(scheduler, arrivals, World({"m": real}))
    pairs = zip(fates, arrivals, strict=True)
    return Counter(fate.outcome for fate, a in pairs if a.arrival_s >= after_s)


@settings(max_examples=12, deadline=None)
@given(
    real=st.sampled_from((GAINING, LITTLE)),
    wrong=st.tuples(*[st.sampled_from((1.0, 3.0, 300.0))] * 3),
    made=st.sampled_from((plain, net)),
)
def test_whichever_sizes_were_measured_wrong_it_soon_serves_as_if_they_were_right(
    real: dict[int, float],
    wrong: tuple[float, ...],
    made: Callable[[Mapping[int, float]], Model],
) -> None:
    """More comes than any size can serve."""
    arrivals = arrivals_of(SETTLED_S + 1.0, 350.0)
    believed = {b: t * w for (b, t), w in zip(real.items(), (1.0, *wrong), strict=True)}
    served = outcomes(scheduler_of(made(believed)), made(real), arrivals, SETTLED_S)
    right = outcomes(scheduler_of(made(real)), made(real), arrivals, SETTLED_S)
    assert served["on_time"] >= 0.9 * right["on_time"]
    assert served["late"] == served["cancelled"] == 0


def test_without_trials_only_the_smallest_is_used_for_ever() -> None:
    """What the test above would not find where nothing was to be found."""
    believed = {b: t * (1 if b == 1 else 10) for b, t in GAINING.items()}
    arrivals = arrivals_of(5.0, 400.0)
    served = outcomes(scheduler_of(plain(believed), trials=False), plain(GAINING), arrivals)
    right = outcomes(scheduler_of(plain(GAINING), trials=False), plain(GAINING), arrivals)
    assert served["on_time"] < 0.35 * right["on_time"]


def test_nobody_is_late_for_the_trial_of_a_size_that_is_of_any_use() -> None:
    """It was believed to take no longer than smaller ones together, and doesn't."""
    believed = {b: t * (1 if b == 1 else 300) for b, t in LITTLE.items()}
    served = outcomes(scheduler_of(plain(believed)), plain(LITTLE), arrivals_of(8.0, 200.0))
    assert set(served) == {"on_time", "refused"}


def test_a_size_that_is_slow_is_tried_ever_more_seldom_and_costs_a_batch_and_who_waits_behind() -> (
    None
):
    """It is what it was believed to be; and the buffer is not what such a trial says."""
    seconds = 60.0
    scheduler = scheduler_of(plain(NOT))
    served = outcomes(scheduler, plain(NOT), arrivals_of(seconds, 150.0))
    without = outcomes(
        scheduler_of(plain(NOT), trials=False), plain(NOT), arrivals_of(seconds, 150.0)
    )
    trials = log2(seconds / FIRST_S) + 1
    waiting = SLO_S / ALONE_S
    assert 0 < served["late"] + served["cancelled"] <= trials * waiting
    assert served["on_time"] >= without["on_time"] - 2 * trials * waiting
    costs = scheduler.state.models["m"].costs
    assert costs.seconds == pytest.approx(NOT, rel=0.01)
    assert scheduler.state.buffer.seconds(ALONE_S, ALONE_S) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("real", [GAINING, LITTLE])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), rps=st.sampled_from((60.0, 150.0, 500.0)))
def test_where_estimates_are_right_and_larger_batches_faster_nothing_is_other_than_without(
    real: dict[int, float], seed: int, rps: float
) -> None:
    arrivals, world = arrivals_of(1.5, rps, seed), World({"m": plain(real)}, lag_s=0.0005)
    fates = [
        replay(Scheduler([plain(real)], trials=trials, lag_s=0.0005), arrivals, world)
        for trials in (False, True)
    ]
    assert fates[0] == fates[1]


def test_at_its_longest_the_next_trial_is_ten_minutes_after_the_last() -> None:
    entry = scheduler_of(replace(plain(NOT))).state.models["m"]
    entry.holders.append(None)  # type: ignore[arg-type]  # some executor
    tried_s = []
    for now_s in range(7200):
        doubt(entry, entry.costs, float(now_s))
        if len(entry.costs.doubted) < len(NOT) - 1:
            tried_s.append(now_s)
            for size, seconds in NOT.items():
                entry.costs.learn(size, seconds)
    assert tried_s[:5] == [0, 2, 4, 8, 16], "what was only warmed up at once"
    assert tried_s[-1] - tried_s[-2] == RARE_S
