"""A load that is believed to take too long is tried: no model stays cold for its estimate alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_scheduler import (
    Action,
    Arrival,
    Event,
    Load,
    Model,
    Scheduler,
    Served,
    World,
    replay,
)
from infadapter_scheduler.load_trial import CALM
from infadapter_scheduler.trial import FIRST_S, RARE_S

EXECUTION_S, LOAD_S, OFTEN_S = 0.01, 0.3, 0.25
OFTEN, SELDOM = (Model(name, {1: EXECUTION_S}, LOAD_S, 1) for name in ("often", "seldom"))


class Watched(Scheduler):
    """Remembers when the model that is asked for seldom was loaded."""

    loads_s: list[float]

    def handle(self, event: Event, now_s: float) -> list[Action]:
        actions = super().handle(event, now_s)
        loads = [a for a in actions if isinstance(a, Load) and a.model == SELDOM.name]
        self.loads_s = [*getattr(self, "loads_s", []), *(now_s for _ in loads)]
        return actions


def arrivals_of(seconds: float, gap_s: float, slo_s: float) -> list[Arrival]:
    """Each a bit beside the other: one is asked for often, and would fill the memory alone."""
    often = [Arrival(n * OFTEN_S, OFTEN.name, 0.6) for n in range(round(seconds / OFTEN_S))]
    seldom = [Arrival(0.03 + n * gap_s, SELDOM.name, slo_s) for n in range(int(seconds / gap_s))]
    return sorted([*often, *seldom])


def played(
    believed_s: float,
    arrivals: Sequence[Arrival],
    *,
    load_s: float = LOAD_S,
    trials: bool = True,
    shared: bool = True,
    executors: int = 1,
) -> tuple[list[Served], Watched]:
    real = {OFTEN.name: OFTEN, SELDOM.name: replace(SELDOM, load_s=load_s)}
    scheduler = Watched([OFTEN, replace(SELDOM, load_s=believed_s)], trials=trials)
    world = World(real, executors, pages=1, shared_load=shared)
    return replay(scheduler, arrivals, world), scheduler


def in_time(fates: Sequence[Served], arrivals: Sequence[Arrival], after_s: float) -> int:
    return sum(
        fate.outcome == "on_time" and arrival.model == SELDOM.name and arrival.arrival_s >= after_s
        for fate, arrival in zip(fates, arrivals, strict=True)
    )


@settings(max_examples=20, deadline=None)
@given(
    wrong=st.sampled_from((1.9, 2.5, 10.0, 100.0, 10_000.0)),
    gap_s=st.sampled_from((0.7, 1.3, 2.3)),
    slo_s=st.sampled_from((0.45, 0.6)),
)
def test_however_long_it_was_believed_to_take_it_is_served_a_second_after_the_first_refusal(
    wrong: float, gap_s: float, slo_s: float
) -> None:
    arrivals = arrivals_of(24.0, gap_s, slo_s)
    after_s = FIRST_S + 3 * gap_s
    right, _ = played(LOAD_S, arrivals)
    fates, scheduler = played(wrong * LOAD_S, arrivals)
    assert in_time(right, arrivals, after_s)
    assert in_time(fates, arrivals, after_s) >= 0.9 * in_time(right, arrivals, after_s)
    assert not {"late", "cancelled"} & {fate.outcome for fate in fates}
    assert scheduler.state.models[SELDOM.name].costs.load.mean <= slo_s


def test_without_trials_it_is_refused_for_ever() -> None:
    """What the test above would not find where nothing was to be found."""
    arrivals = arrivals_of(60.0, 2.3, 0.6)
    fates, scheduler = played(30.0, arrivals, trials=False)
    assert not in_time(fates, arrivals, 0.0)
    assert not scheduler.loads_s


def test_a_disk_that_recovers_after_trials_is_found_to_within_the_longest_time_between_two() -> (
    None
):
    """It was tried while it was slow, which was no mistake of the estimate then."""
    arrivals = arrivals_of(2.5 * RARE_S, 5.0, 0.6)
    scheduler = Watched([OFTEN, replace(SELDOM, load_s=3.0)], trials=True)
    recovers_s = RARE_S + 37.0
    models = {OFTEN.name: OFTEN, SELDOM.name: replace(SELDOM, load_s=3.0)}
    slow = [arrival for arrival in arrivals if arrival.arrival_s < recovers_s]
    world = World(models, pages=1, shared_load=True)

    def recover(done: int, total: int) -> None:
        """At the first look after that time."""
        if done >= len(slow):
            models[SELDOM.name] = SELDOM

    fates = replay(scheduler, arrivals, world, recover)
    found_s = next(
        arrival.arrival_s
        for fate, arrival in zip(fates, arrivals, strict=True)
        if arrival.model == SELDOM.name and fate.cold and fate.outcome == "on_time"
    )
    looked_s = arrivals[4096 * -(-len(slow) // 4096)].arrival_s
    assert sum(at_s < recovers_s for at_s in scheduler.loads_s) >= 3
    assert looked_s < found_s <= looked_s + max(RARE_S, CALM * 3.0) + 2 * 5.0


@settings(max_examples=25, deadline=None)
@given(
    came=st.lists(
        st.tuples(
            st.sampled_from((0.0, 0.004, 0.05, 0.4)),
            st.sampled_from((OFTEN.name, OFTEN.name, SELDOM.name)),
            st.sampled_from((LOAD_S + EXECUTION_S, 0.35, 1.0)),
        ),
        max_size=80,
    ),
    executors=st.integers(1, 2),
    shared=st.booleans(),
)
def test_where_estimates_are_right_and_deadlines_longer_than_a_load_nothing_is_other_than_without(
    came: list[tuple[float, str, float]], executors: int, shared: bool
) -> None:
    at_s, arrivals = 0.0, []
    for gap_s, name, slo_s in came:
        at_s += gap_s
        arrivals.append(Arrival(at_s, name, slo_s + 1e-6))
    fates = [
        played(LOAD_S, arrivals, trials=trials, shared=shared, executors=executors)[0]
        for trials in (False, True)
    ]
    assert fates[0] == fates[1]


@pytest.mark.parametrize("load_s", [0.3, 3.0, 30.0])
def test_where_it_does_take_that_long_a_hundredth_of_the_time_goes_into_trials_and_nobody_is_late(
    load_s: float,
) -> None:
    """Deadlines are shorter than the load, and others are asked for more."""
    seconds = 3600.0
    often = [Arrival(n * 0.5, OFTEN.name, 0.6) for n in range(round(2 * seconds))]
    seldom = [Arrival(0.2 + 20.0 * n, SELDOM.name, 0.2) for n in range(round(seconds / 20))]
    arrivals = sorted([*often, *seldom])
    fates, scheduler = played(load_s, arrivals, load_s=load_s)
    loads = len(scheduler.loads_s)
    assert 1 <= loads * load_s <= 0.01 * seconds + load_s
    assert loads <= seconds / RARE_S + 11, "doubled from one second on"
    outcomes = Counter(fate.outcome for fate in fates)
    assert set(outcomes) == {"on_time", "refused"}
    refused = outcomes["refused"] - len(seldom)
    assert refused <= loads * (2 + 2 * (load_s + LOAD_S)), "while both are loaded"
