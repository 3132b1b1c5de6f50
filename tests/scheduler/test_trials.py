"""What was learnt, however wrong, keeps no server from serving what it could."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_scheduler import (
    Action,
    Arrival,
    Arrived,
    BulkArrived,
    ExecutorJoined,
    Finished,
    Gone,
    Model,
    Profiled,
    Refuse,
    Run,
    Scheduler,
    SpeedChanged,
    Tick,
    World,
    replay,
    with_points,
)
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_scheduler.deviation import lognormal
from infadapter_scheduler.points import Point
from infadapter_scheduler.trial import CALM, FIRST_S, LONGEST_S

ALONE_S, SLO_S, GAP_S = 0.01, 0.1, 1.0
PLAIN = Model("m", {1: ALONE_S, 2: 1.5 * ALONE_S, 4: 2.5 * ALONE_S})
NET = with_points(
    "m",
    [Point("small", 0.7, {1: ALONE_S, 4: 2.5 * ALONE_S}), Point("large", 0.8, {1: 0.05, 4: 0.1})],
)
MADE_S = {0: dict(PLAIN.execution_s), 1: {1: 0.05, 4: 0.1}}


@dataclass
class Served:
    """A scheduler and one executor, which takes as long as it is told to."""

    model: Model = PLAIN
    trials: bool = True
    now_s: float = 0.0
    slower: float = 1.0
    numbers: int = 0
    late: int = 0
    kernel: Scheduler = field(init=False)

    def __post_init__(self) -> None:
        self.kernel = Scheduler([self.model], most_buffer=MOST_OF_THE_TIME, trials=self.trials)
        self.kernel.handle(ExecutorJoined("e", None, (self.model.name,), shared_load=True), 0.0)

    def ask(self, slo_s: float = SLO_S, images: int = 1) -> bool:
        """Served, in time or not; the next one comes after its end, or a while after a refusal."""
        actions, began_s, first = [], self.now_s, self.numbers
        for _ in range(images):
            event = Arrived(self.numbers, "m", self.now_s + slo_s, bulk=images > 1)
            self.numbers += 1
            found = self.kernel.handle(event, self.now_s)
            if any(isinstance(action, Refuse) for action in found):
                for number in range(first, self.numbers):
                    self.kernel.handle(Gone(number), self.now_s)
                return self._over(began_s, False)
            actions += found
        actions += self.kernel.handle(BulkArrived(), self.now_s)
        while runs := [action for action in actions if isinstance(action, Run)]:
            actions = self._run(runs[0])
        self.late += self.now_s > began_s + slo_s + 1e-9
        return self._over(began_s, True)

    def _run(self, run: Run) -> list[Action]:
        assert run.latest_s >= self.now_s
        took_s = self.slower * MADE_S[run.point][len(run.batch)]
        start_s, self.now_s = self.now_s, self.now_s + took_s
        ended = Finished("e", run.run, start_s, self.now_s)
        return [*self.kernel.handle(ended, self.now_s), *self.kernel.handle(Tick(), self.now_s)]

    def _over(self, began_s: float, served: bool) -> bool:
        self.now_s = max(self.now_s, began_s + GAP_S)
        return served

    def disturb(self, learnt: Iterable[tuple[str, float]]) -> None:
        for kind, amount in learnt:
            if kind == "slow":
                self.slower = amount
                for _ in range(20):
                    self.ask(slo_s=1000.0)
            elif kind == "tight":
                self.ask(slo_s=amount * ALONE_S)
            elif kind == "speed":
                self.kernel.handle(SpeedChanged(amount), self.now_s)
            elif kind == "beside":
                self.kernel.handle(SpeedChanged(1.0, amount), self.now_s)
            elif not self.model.points:
                wrong = {size: amount * s for size, s in self.model.execution_s.items()}
                self.kernel.handle(Profiled("m", wrong), self.now_s)
        self.slower = 1.0


DISTURBANCES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("slow", "profile")), st.sampled_from((3.0, 30.0, 3000.0))),
        st.tuples(st.just("tight"), st.sampled_from((0.01, 0.5, 2.0, 20.0))),
        st.tuples(st.just("speed"), st.sampled_from((1.5, 5.0, 40.0))),
        st.tuples(st.just("beside"), st.sampled_from((0.01, 1.0, 60.0))),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(learnt=DISTURBANCES, model=st.sampled_from((PLAIN, NET)), images=st.integers(1, 4))
def test_whatever_was_learnt_it_serves_again_within_the_longest_time_between_two_trials(
    learnt: list[tuple[str, float]], model: Model, images: int
) -> None:
    """Light load; executions take a tenth of what there is, and were believed to take more."""
    served = Served(model)
    served.disturb(learnt)
    began_s, served.late = served.now_s, 0
    while served.now_s < began_s + LONGEST_S + 3 * GAP_S:
        served.ask(images=images)
    assert all(served.ask(images=images) for _ in range(10))
    assert not served.late


@pytest.mark.parametrize("images", [1, 3])
def test_without_trials_it_refuses_for_ever(images: int) -> None:
    """What the tests above would not find where nothing was to be found."""
    served = Served(trials=False)
    served.disturb([("slow", 30.0)] * 12)
    assert not any(served.ask(images=images) for _ in range(100))


def test_one_trial_in_time_is_enough_and_larger_batches_are_believed_too() -> None:
    served = Served()
    served.disturb([("slow", 3000.0)] * 12)
    served.ask()
    served.now_s += CALM * LONGEST_S
    assert all(served.ask() for _ in range(5))
    costs = served.kernel.state.models["m"].costs
    assert costs.seconds[1] == pytest.approx(ALONE_S)
    assert costs.seconds[4] <= 4 * ALONE_S
    assert costs.first[4] == 4


def test_where_it_can_not_be_served_few_are_tried_and_ever_more_seldom() -> None:
    """They are the ones that are late, and may be told from refusals as such."""
    served = Served()
    served.disturb([("slow", 30.0)] * 12)
    served.slower, began_s, found = 30.0, served.now_s, 0
    while served.now_s < began_s + 600.0:
        found += served.ask()
    assert found == served.late
    assert 600 / LONGEST_S - 1 <= found <= 600 / LONGEST_S + log2(LONGEST_S / FIRST_S) + 2


def test_deadlines_that_nobody_could_hold_spoil_no_estimate() -> None:
    """Trials of them end late, which agrees with what is known."""
    served = Served()
    for _ in range(500):
        served.ask(slo_s=0.5 * ALONE_S)
    costs = served.kernel.state.models["m"].costs
    assert costs.seconds[1] == pytest.approx(ALONE_S)
    assert 0 < served.late < 500 * GAP_S / LONGEST_S + 10


def test_what_may_still_be_slow_is_learnt_from_few_executions_after_a_trial() -> None:
    """One fast execution among slow ones: the next ones count as much as it did."""
    served = Served()
    served.disturb([("slow", 30.0)] * 12)
    served.ask()
    served.now_s += CALM * LONGEST_S
    assert served.ask()
    served.slower, served.late, found = 30.0, 0, 0
    for _ in range(20):
        found += served.ask()
    assert found <= 2 + log2(20), "one, and trials"


ARRIVALS = st.lists(
    st.tuples(st.sampled_from((0.0, 0.003, 0.02, 0.2)), st.sampled_from((0.012, 0.03, 0.1, 0.5))),
    max_size=120,
)


@settings(max_examples=40, deadline=None)
@given(came=ARRIVALS, model=st.sampled_from((PLAIN, NET)), executors=st.integers(1, 2))
def test_where_estimates_are_right_and_deadlines_can_be_held_nothing_is_other_than_without(
    came: list[tuple[float, float]], model: Model, executors: int
) -> None:
    at_s, arrivals = 0.0, []
    for gap_s, slo_s in came:
        at_s += gap_s
        arrivals.append(Arrival(at_s, "m", slo_s))
    world = World({"m": model}, executors, lag_s=0.0005)
    fates = [
        replay(Scheduler([model], trials=t, lag_s=0.0005), arrivals, world) for t in (False, True)
    ]
    assert fates[0] == fates[1]


def test_a_trial_waits_for_whoever_is_served() -> None:
    """Never two at a time, and none where something runs or is planned."""
    kernel = Scheduler([PLAIN], trials=True)
    kernel.handle(ExecutorJoined("e", None, ("m",)), 0.0)
    found = [kernel.handle(Arrived(n, "m", n + 0.005), float(n))[0] for n in range(4)]
    assert [type(action) for action in found] == [Refuse, Run, Refuse, Refuse]


def test_where_deadlines_are_at_the_mean_trials_make_few_late() -> None:
    """Noise of a third: who is in time by luck is believed for a few executions."""
    arrivals = [Arrival(0.25 * n, "m", 1.02 * ALONE_S) for n in range(1000)]
    world = World({"m": PLAIN}, deviation=lognormal(0.3), seed=1)
    fates = replay(Scheduler([PLAIN], trials=True), arrivals, world)
    without = replay(Scheduler([PLAIN]), arrivals, world)
    counts = [Counter(fate.outcome for fate in each) for each in (fates, without)]
    assert counts[0]["late"] <= counts[1]["late"] + 0.1 * len(arrivals)
    shares = [each["on_time"] / (each["on_time"] + each["late"]) for each in counts]
    assert shares[0] > shares[1], "of those that were accepted"
