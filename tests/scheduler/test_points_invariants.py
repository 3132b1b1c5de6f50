"""Random sequences of events for models with points: no choice of a point makes anybody late."""

import random
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_scheduler import Choice, Model, Point, Scheduler, Situation, with_points
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_scheduler.points.policy import PointPolicy
from infadapter_scheduler.points.rivals import LowestAccuracy, MaxAccuracy, MaxBatch
from infadapter_scheduler.points.slackfit import SlackFit
from tests.deep import DEEP
from tests.scheduler.referee import Referee
from tests.scheduler.test_invariants import (
    EVENTS,
    EXAMPLES,
    MILLISECOND,
    SEARCHED,
    SIZES,
    played,
)

ACCURACIES = (0.4, 0.6, 0.7, 0.8, 0.9)

arrivals = st.one_of(
    st.tuples(st.just("arrive"), st.integers(0, 2), st.sampled_from((200, 50, 12, 3))),
    st.tuples(st.just("floor"), st.integers(0, 2), st.sampled_from((*ACCURACIES, 0.99))),
    st.tuples(st.just("burst"), st.integers(0, 2), st.sampled_from((200, 50))),
    st.tuples(st.just("wait"), st.just(0), st.sampled_from((5, 1, 20))),
)
changes = st.one_of(
    st.tuples(st.just("allow"), st.integers(0, 2), st.integers(1, 31)),
    *EVENTS,
)
events = st.lists(st.one_of(arrivals, arrivals, arrivals, changes), min_size=15, max_size=60)


class AtRandom:
    """Whatever there is, and what there is not."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def choose(self, situation: Situation) -> Choice:
        return Choice(self._draw.randint(0, 5), self._draw.choice((1, 2, 3, 4, 8, 16)))

    def ran(self, situation: Situation, choice: Choice) -> None:
        assert choice.size <= situation.waiting
        assert choice.number in [point.number for point in situation.points]


class AsLongAsCanBe:
    """The slowest point that makes nobody late, in a batch of any size."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def choose(self, situation: Situation) -> Choice:
        sizes = {b for point in situation.points for b in point.seconds if b <= situation.waiting}
        size = self._draw.choice(sorted(sizes))
        longest_s = situation.longest_s(size)
        fit = [p for p in situation.points if p.seconds.get(size, inf) <= longest_s]
        slowest = max(fit, key=lambda point: point.seconds[size], default=situation.points[0])
        return Choice(slowest.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


POLICIES = (
    AsLongAsCanBe,
    AsLongAsCanBe,
    AtRandom,
    lambda seed: KeepingUp(),
    lambda seed: SlackFit(),
    lambda seed: MaxBatch(),
    lambda seed: MaxAccuracy(),
    lambda seed: LowestAccuracy(),
)


@st.composite
def ladders(draw: st.DrawFn) -> list[Model]:
    """Two to five points, which need not be the slower the more accurate they are; or none."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        load_ms, pages = draw(st.sampled_from((0, 3, 20))), draw(st.integers(1, 3))
        points = [
            _point(draw, f"p{n}", accuracy)
            for n, accuracy in enumerate(ACCURACIES[: draw(st.sampled_from((5, 4, 3, 2, 1, 0)))])
        ]
        if points:
            load_s = load_ms * MILLISECOND
            made.append(with_points(f"m{number}", points, load_s=load_s, pages=pages))
        else:
            made.append(Model(f"m{number}", {1: 0.002, 4: 0.005}, load_ms * MILLISECOND, pages))
    return made


def _point(draw: st.DrawFn, name: str, accuracy: float) -> Point:
    alone_s = MILLISECOND * draw(st.sampled_from((0.5, 1.0, 2.73, 10.0, 30.0)))
    gain = draw(st.sampled_from((0.2, 0.5, 1.0, 1.2)))
    sizes = draw(st.sampled_from(SIZES))
    return Point(name, accuracy, {b: alone_s * (1 + gain * (b - 1)) for b in sizes})


@pytest.mark.timeout(3600 if DEEP else 300)
@settings(SEARCHED, max_examples=EXAMPLES if DEEP else EXAMPLES // 2)
@given(
    made=ladders(),
    policy=st.sampled_from(POLICIES),
    pages=st.sampled_from((None, 3, 5, 9)),
    steps=events,
    sigma=st.sampled_from((0.0, 0.0, 0.0, 0.3)),
    seed=st.integers(0, 9),
    shared_load=st.booleans(),
)
def test_no_choice_of_a_point_makes_anybody_late_and_all_get_a_point_that_they_asked_for(
    made: list[Model],
    policy: Any,
    pages: int | None,
    steps: list[Any],
    sigma: float,
    seed: int,
    shared_load: bool,
) -> None:
    chosen: PointPolicy = policy(seed)
    referee = Referee(Scheduler(made, points=chosen), made, sigma, seed)
    referee.join(pages, shared_load)
    played(referee, steps, pages, shared_load)


def test_the_rest_of_a_batch_that_ran_while_weights_were_awaited_is_not_left_behind_them() -> None:
    """Who waits for weights was taken to be done as early as with the whole batch before it."""
    made = [
        with_points("m0", [Point("p0", 0.4, {1: 0.01})], load_s=0.02, pages=2),
        with_points(
            "m1", [Point("p0", 0.4, {1: 0.0005, 2: 0.0006, 8: 0.0012, 16: 0.002})], pages=1
        ),
    ]
    referee = Referee(Scheduler(made, points=AsLongAsCanBe(6)), made, 0.0, 6)
    referee.join(9)
    played(referee, [("arrive", 1, 50), ("bulk", 0, 50), ("burst", 1, 50)], 9, False)
