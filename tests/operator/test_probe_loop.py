"""The loop with variants whose pods do not become Ready: patience, retries and recovery."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from benchmarks.always_arrive.loads import plain
from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.progress import Block, Rest
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import State
from infadapter_operator.domain.steps import ScaleUp
from infadapter_operator.planning import probe
from infadapter_simulator.policies.ours import service_of
from infadapter_simulator.world.faults import Faults, Spell
from infadapter_solver import Allocation
from infadapter_solver.milp import SolverFailed
from infadapter_solver.problem import Target
from tests.operator.loop_arithmetic import held, within
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World

SIZES: tuple[int, ...] = (1, 2, 4)
GOOD_AND_BAD = {"good": (0.7, SIZES), "bad": (0.9, SIZES)}


def crashing(variant: str, until_s: float = float("inf")) -> Spell:
    """Return crashes of a variant until `until_s` after the loop's begin."""
    return Spell(variant=variant, cause=Cause.CRASH, message="ends", until_s=BEGIN_S + until_s)


def a_service(surge_cores: int | None = None, load_s: float = 5.0, **more: float) -> Service:
    variants = {**GOOD_AND_BAD, **{name: (accuracy, SIZES) for name, accuracy in more.items()}}
    scenario = plain(variants, budget_cores=4, surge_cores=surge_cores, load_s=load_s)
    return service_of(scenario)


def a_runner(service: Service, *spells: Spell, rps: float = 30.0, later_rps: float = 0.0) -> Runner:
    """Return a loop with one good pod; the load is `later_rps` from 130 s on."""
    later_rps = later_rps or rps

    def load(now_s: float) -> float:
        return rps if now_s < BEGIN_S + 130 else later_rps

    world = World(service, load, faults=Faults(never_ready=spells))
    world.add("good", 2000)
    return Runner(world=world)


def starts_of(runner: Runner, variant: str) -> list[float]:
    return [
        at_s - BEGIN_S
        for at_s, step in runner.world.taken
        if isinstance(step, ScaleUp) and step.target.variant == variant
    ]


def variants_of(runner: Runner) -> set[str]:
    return {pod.target.variant for pod in runner.world.seen().pods}


def plans_of(runner: Runner) -> int:
    return sum(seen.plan_changed for seen in runner.looks)


def test_what_waits_for_room_is_not_forgotten() -> None:
    """Otherwise it would be planned in place of all serving pods as if it had not failed."""
    service = a_service(surge_cores=0)
    service = replace(service, patience=replace(service.patience, retry_most_s=40.0))
    runner = a_runner(service, crashing("bad"), rps=70.0)
    asyncio.run(runner.run(300))
    assert starts_of(runner, "bad") == [0.0]
    progress = runner.looks[-1].progress
    assert progress is not None
    assert (progress.rest, progress.waits_for) == (Rest.NO_SURGE, "room to try a pod of bad again")


def test_what_would_not_be_planned_is_not_said_to_wait_for_room() -> None:
    """The blocked variant is worse than the one that runs on the whole budget."""
    service = a_service(surge_cores=0, worse=0.5)
    runner = a_runner(service, crashing("worse"), rps=70.0)
    asyncio.run(runner.run(20))
    left = Block(
        target=Target("worse"),
        digest="",
        cause=Cause.CRASH,
        message="ends",
        since_s=BEGIN_S - 100,
        until_s=BEGIN_S,
        created_s=BEGIN_S - 160,
    )
    runner.state = replace(runner.state, blocks={left.target: left})
    asyncio.run(runner.run(30))
    last = runner.looks[-1]
    assert last.planned is not None
    assert last.planned.present.without_room == (left.target,)
    assert last.planned.without_room == ()
    assert last.progress is not None
    assert last.progress.rest is None


@pytest.mark.parametrize("every_s", [10.0, 7.0])
def test_a_restart_of_the_operator_leaves_the_pod_that_is_tried(every_s: float) -> None:
    """The pod takes longer to load than the time between restarts."""
    runner = a_runner(a_service(load_s=40.0, surge_cores=2), crashing("bad", 80.0), rps=70.0)
    asyncio.run(runner.run(100))
    while runner.world.now_s < BEGIN_S + 260:
        asyncio.run(runner.run(every_s))
        state = runner.state
        runner.state = State(decision=state.decision, blocks=state.blocks)
    assert len(starts_of(runner, "bad")) == 2
    assert variants_of(runner) == {"bad"}


@pytest.mark.parametrize(
    ("cause", "longest_s"), [(Cause.CRASH, 11.0), (Cause.IMAGE, 11.0), (Cause.NOT_READY, 18.0)]
)
def test_above_the_budget_one_that_is_tried_is_left_when_a_start_would_be_over(
    cause: Cause, longest_s: float
) -> None:
    """The next retry waits for the doubled back-off, and the serving pods do not change."""
    bad = Spell(variant="bad", cause=cause, message="no", from_s=0.0)
    runner = a_runner(a_service(surge_cores=2, load_s=5.0), bad, rps=70.0)
    asyncio.run(runner.run(400))
    budget = runner.world.service.budget
    above = [
        seen.now_s - BEGIN_S
        for seen in runner.looks
        if seen.observed and not within(held(seen.observed.pods), budget)
    ]
    planned_s, *tried_s = starts_of(runner, "bad")
    assert len(tried_s) == 3
    assert all(start_s + 1 in above for start_s in tried_s)
    late = [s for s in above if s > 64 and all(not t <= s < t + longest_s for t in tried_s)]
    assert (planned_s, late) == (0.0, [])
    first_s, second_s = (after - before for before, after in pairwise(tried_s))
    assert second_s > 1.6 * first_s > 90
    assert plans_of(runner) == 2


@pytest.mark.parametrize("until_s", [72.0, 73.5, 98.0])
def test_what_was_waited_for_and_begins_to_load_is_not_taken_down(until_s: float) -> None:
    """Although its back-off has not ended and no plan contains it."""
    runner = a_runner(a_service(load_s=40.0), crashing("bad", until_s))
    asyncio.run(runner.run(200))
    assert starts_of(runner, "bad") == [0.0]
    assert variants_of(runner) == {"bad"}
    assert plans_of(runner) == 3


def test_in_an_overload_what_serves_more_is_planned_also_behind_what_does_not() -> None:
    service = a_service(surge_cores=0, fast=0.8)
    per_core_rps = {"good": 20.0, "bad": 10.0, "fast": 40.0}
    variants = tuple(
        replace(v, allocations=tuple(_at(a, per_core_rps[v.name]) for a in v.allocations))
        for v in service.variants
    )
    service = replace(service, variants=variants)
    runner = a_runner(service, crashing("bad"), crashing("fast", 150.0), later_rps=300.0)
    asyncio.run(runner.run(300))
    assert variants_of(runner) == {"fast"}


def _at(allocation: Allocation, core_rps: float) -> Allocation:
    return replace(allocation, capacity_rps=core_rps * allocation.cpu_millicores / 1000)


def test_where_the_solver_does_not_answer_what_would_be_tried_the_plan_is_carried_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise SolverFailed("no answer")

    monkeypatch.setattr(probe, "choose", fails)
    runner = a_runner(a_service(surge_cores=2), crashing("bad"), rps=70.0)
    asyncio.run(runner.run(200))
    assert starts_of(runner, "bad") == [0.0]
    assert runner.looks[-1].failure is None
