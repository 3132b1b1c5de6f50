"""Random sequences of events: what must hold of every action, whatever comes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infadapter_scheduler import KeepLoaded, LoadWanted, Model, Scheduler, UnloadWanted
from tests.deep import DEEP
from tests.scheduler.referee import Referee

EXAMPLES = 100_000 if DEEP else 150
SEARCHED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not DEEP,
    suppress_health_check=list(HealthCheck),
)

MILLISECOND = 0.001
SIZES = ((1,), (1, 2), (1, 2, 4), (1, 2, 4, 8), (1, 3, 8), (1, 2, 4, 8, 16))


FIVE, FOUR = st.integers(1, 5), st.integers(1, 4)
ALONE_MS = st.sampled_from((0.5, 1.0, 2.73, 10.0))
GAINS = st.sampled_from((0.2, 0.5, 1.0, 1.2))
SETS_OF_SIZES = st.sampled_from(SIZES)
LOADS_MS = st.sampled_from((0, 3, 20))


@st.composite
def models(draw: st.DrawFn) -> list[Model]:
    """Larger batches take longer, though not always longer than two smaller ones."""
    made = []
    for number in range(draw(FIVE)):
        alone_ms, gain, sizes = draw(ALONE_MS), draw(GAINS), draw(SETS_OF_SIZES)
        execution_s = {b: alone_ms * MILLISECOND * (1 + gain * (b - 1)) for b in sizes}
        load_ms, pages = draw(LOADS_MS), draw(FOUR)
        made.append(Model(f"m{number}", execution_s, load_ms * MILLISECOND, pages))
    return made


EVENTS = (
    st.tuples(st.just("arrive"), st.integers(0, 5), st.sampled_from((1, 3, 12, 50, 200, 5000))),
    st.tuples(
        st.sampled_from(("burst", "bulk")), st.integers(0, 4), st.sampled_from((12, 50, 200))
    ),
    st.tuples(st.just("wait"), st.integers(0, 0), st.sampled_from((0.1, 1, 5, 40))),
    st.tuples(st.just("go"), st.integers(0, 60), st.just(0)),
    st.tuples(st.just("join"), st.integers(0, 0), st.just(0)),
    st.tuples(st.just("leave"), st.integers(0, 3), st.just(0)),
    st.tuples(st.sampled_from(("fail-run", "fail-load")), st.just(0), st.just(0)),
    st.tuples(st.just("speed"), st.just(0), st.sampled_from((0.5, 1.5, 4))),
    st.tuples(st.just("beside"), st.just(0), st.sampled_from((0, 1, 5))),
    st.tuples(st.just("profile"), st.integers(0, 4), st.sampled_from((0.5, 2))),
    st.tuples(st.sampled_from(("add", "remove", "want", "unwant")), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("keep"), st.integers(0, 4), st.sampled_from((0, 1))),
)
events = st.lists(st.one_of(*EVENTS), max_size=60)


ARRIVALS: dict[str, Callable[[Referee, str, float], list[int]]] = {
    "arrive": lambda referee, model, amount: [referee.arrive(model, amount * MILLISECOND)],
    "floor": lambda referee, model, floor: [referee.arrive(model, 50 * MILLISECOND, floor)],
    "burst": lambda referee, model, amount: [
        referee.arrive(model, amount * MILLISECOND) for _ in range(9)
    ],
    "bulk": lambda referee, model, amount: referee.arrive_together(model, amount * MILLISECOND, 7),
}


CHANGES: dict[str, Callable[[Referee, str, float], None]] = {
    "fail-run": lambda referee, model, amount: referee.fail("run"),
    "fail-load": lambda referee, model, amount: referee.fail("load"),
    "speed": lambda referee, model, amount: referee.change_speed(amount),
    "beside": lambda referee, model, amount: referee.change_speed(1.0, 0.002 * amount),
    "profile": Referee.profile,
    "add": lambda referee, model, amount: referee.add(model),
    "remove": lambda referee, model, amount: referee.remove(model),
    "want": lambda referee, model, amount: referee.tell(LoadWanted(model)),
    "unwant": lambda referee, model, amount: referee.tell(UnloadWanted(model)),
    "allow": lambda referee, model, amount: referee.allow(model, int(amount)),
    "keep": lambda referee, model, amount: referee.tell(KeepLoaded(model, bool(amount))),
}


def nothing(referee: Referee, model: str, amount: float) -> None:
    """An event for which the time has not come."""


def played(
    referee: Referee, steps: list[tuple[str, int, float]], pages: int | None, shared_load: bool
) -> None:
    numbers: list[int] = []
    for kind, which, amount in steps:
        if kind in ARRIVALS:
            numbers += ARRIVALS[kind](referee, f"m{which}", amount)
        elif kind == "wait":
            referee.wait(amount * MILLISECOND)
        elif kind == "go" and numbers:
            referee.go(numbers[which % len(numbers)])
        elif kind == "join" and len(referee.executors) < 3:
            referee.join(pages, shared_load)
        elif kind == "leave" and len(referee.executors) > 1:
            referee.leave(sorted(referee.executors)[which % len(referee.executors)])
        else:
            CHANGES.get(kind, nothing)(referee, f"m{which}", amount)
    referee.finish()


@pytest.mark.timeout(3600 if DEEP else 300)
@SEARCHED
@given(
    made=models(),
    pages=st.sampled_from((None, 3, 5, 9)),
    steps=events,
    sigma=st.sampled_from((0.0, 0.0, 0.0, 0.3)),
    seed=st.integers(0, 9),
    shared_load=st.booleans(),
)
def test_no_run_is_late_as_estimated_none_overlap_pages_hold_and_all_are_answered_once(
    made: list[Model],
    pages: int | None,
    steps: list[Any],
    sigma: float,
    seed: int,
    shared_load: bool,
) -> None:
    referee = Referee(Scheduler(made), made, sigma, seed)
    referee.join(pages, shared_load)
    played(referee, steps, pages, shared_load)


@settings(SEARCHED, max_examples=EXAMPLES // 2)
@given(
    made=models(),
    pages=st.sampled_from((None, 3, 5, 9)),
    steps=events,
    seed=st.integers(0, 9),
    shared_load=st.booleans(),
)
def test_with_trials_too_none_overlap_pages_hold_and_all_are_answered_once(
    made: list[Model], pages: int | None, steps: list[Any], seed: int, shared_load: bool
) -> None:
    """Deadlines shorter than executions are among those that come."""
    referee = Referee(Scheduler(made, trials=True), made, 0.3, seed)
    referee.join(pages, shared_load)
    played(referee, steps, pages, shared_load)


def test_who_is_too_late_when_others_are_admitted_again_is_refused_by_his_own_number() -> None:
    """A load fails, and what executions take has grown fourfold meanwhile."""
    made = [
        Model("m0", {1: 0.0005}, 0.0, 1),
        Model("m1", {1: 0.00273, 2: 0.003276}, 0.02, 1),
        Model("m2", {1: 0.0005}, 0.0, 1),
    ]
    steps: list[tuple[str, int, float]] = [
        *(("speed", 0, 0.5), ("speed", 0, 4)),
        *(("burst", 1, 50), ("fail-load", 0, 0), ("burst", 0, 200), ("speed", 0, 4)),
    ]
    referee = Referee(Scheduler(made), made, 0.0, 0)
    referee.join(3, True)
    played(referee, steps, 3, True)


def test_a_copy_that_was_to_go_and_did_not_come_is_no_reason_to_list_its_executor_twice() -> None:
    """Its model is unloaded while it loads, loaded again for who waits, asked for; and lost."""
    made = [Model(f"m{n}", {1: 0.00273 if n == 2 else 0.0005}, 0.0, 1) for n in range(4)]
    steps: list[tuple[str, int, float]] = [
        *(("join", 0, 0), ("join", 0, 0), ("fail-load", 0, 0), ("burst", 2, 12), ("unwant", 2, 0)),
        *(("wait", 0, 0.1), ("leave", 0, 0), ("want", 2, 0), ("leave", 0, 0)),
    ]
    referee = Referee(Scheduler(made), made, 0.0, 0)
    referee.join(3, False)
    played(referee, steps, 3, False)
