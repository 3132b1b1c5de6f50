"""
The error budget in the loop, in virtual time: pods deliver less than planned, and no metric by pod
shows it. The window of an hour is shortened to three minutes.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History
from infadapter_operator.domain.serialize import from_json, to_json
from infadapter_operator.domain.situation import Situation, State
from infadapter_operator.planning.caution import MOST_RESERVE, reserve_factor
from infadapter_operator.planning.plan import plan
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Status
from infadapter_operator.reporting.signals import conditions_of
from infadapter_operator.reporting.status import status_of
from infadapter_simulator.platform import SimulatedLoad
from tests.builders import a_service
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import World

WINDOW_S = 180.0
RPS = 60.0


@dataclass(slots=True)
class AtTheRouter:
    """A load source with outcomes counted at the router, but none by pod."""

    load: SimulatedLoad
    blind: bool = False
    asked_s: list[float] = field(default_factory=list)

    async def history(self, window_s: float, now_s: float) -> History:
        return await self.load.history(window_s, now_s)

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        return {}

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        self.asked_s.append(now_s)
        return None if self.blind else await self.load.answers(window_s, now_s)


def a_runner(rps: float = RPS, window_s: float = WINDOW_S) -> tuple[Runner, AtTheRouter]:
    service = a_service(error_budget_window_s=window_s, percentile=99.0)
    world = World(service=service, load=lambda _: rps)
    source = AtTheRouter(SimulatedLoad(world))
    world.load = source
    return Runner(world=world), source


def condition(seen: Cycle) -> tuple[Status, str]:
    found = next(c for c in conditions_of(seen) if c.type == "ErrorBudgetLeft")
    return found.status, found.reason


def pressures(looks: list[Cycle]) -> list[float]:
    return [seen.state.error_budget.pressure for seen in looks]


def planned_rps(seen: Cycle) -> float:
    assert seen.decision is not None
    return seen.decision.plan.capacity_rps


def reasons(seen: Cycle) -> str:
    return " ".join(seen.decision.why) if seen.decision else ""


def planned_for_rps(seen: Cycle) -> float:
    assert seen.decision is not None
    return seen.decision.demand_rps


async def test_late_pods_make_the_reserve_grow_until_they_are_not_and_it_comes_back() -> None:
    runner, _ = a_runner()
    calm = (await runner.run(WINDOW_S + 60))[-1]
    assert condition(calm) == (Status.TRUE, "Left")
    assert calm.state.error_budget.left == 1.0

    runner.world.fluid.delivers = RPS / planned_rps(calm) * 0.93
    burning = await runner.run(WINDOW_S)
    assert max(pressures(burning)) > 0.0
    worst = max(burning, key=lambda seen: seen.state.error_budget.pressure)
    assert condition(worst) == (Status.FALSE, "Burning")
    assert reserve_factor(worst.state.error_budget.pressure) > 1
    careful = [seen for seen in burning if "the error budget burns" in reasons(seen)]
    assert min(map(planned_rps, careful)) > planned_rps(calm)
    assert {seen.decision.plan.feasible for seen in careful if seen.decision} == {True}
    able_rps = runner.world.fluid.delivers * runner.world.carried_rps()
    assert able_rps >= RPS, "what is missed is missed no more"

    runner.world.fluid.delivers = 1.0
    after = (await runner.run(2 * WINDOW_S + 60))[-1]
    assert condition(after) == (Status.TRUE, "Left")
    assert after.state.error_budget.pressure == 0.0
    assert planned_for_rps(after) == planned_for_rps(calm) < planned_for_rps(worst)


async def test_a_load_beyond_the_budget_moves_no_reserve() -> None:
    runner, _ = a_runner(rps=400.0)
    looks = await runner.run(2 * WINDOW_S)
    assert set(pressures(looks)) == {0.0}
    assert condition(looks[-1]) == (Status.FALSE, "Spent")
    assert looks[-1].state.error_budget.left is not None
    assert looks[-1].state.error_budget.left < 0


async def test_before_a_window_has_passed_nothing_is_said_and_nothing_moves() -> None:
    runner, _ = a_runner()
    runner.world.fluid.delivers = 0.5
    looks = await runner.run(WINDOW_S - 40)
    assert {condition(seen) for seen in looks} == {(Status.UNKNOWN, "NotMeasured")}
    assert set(pressures(looks)) == {0.0}


async def test_a_restart_asks_again_and_goes_on() -> None:
    runner, _ = a_runner()
    calm = (await runner.run(WINDOW_S + 60))[-1]
    runner.world.fluid.delivers = RPS / planned_rps(calm) * 0.8
    before = (await runner.run(90))[-1]
    runner.restart()
    after = await runner.look()
    assert before.state.error_budget.pressure > 0
    assert after.state.error_budget.pressure == pytest.approx(
        before.state.error_budget.pressure, abs=0.1
    )


async def test_a_restart_in_an_overload_moves_no_reserve() -> None:
    runner, _ = a_runner(rps=400.0)
    await runner.run(WINDOW_S + 60)
    runner.restart()
    assert set(pressures(await runner.run(15))) == {0.0}


async def test_prometheus_is_asked_now_and_then_and_its_silence_is_borne() -> None:
    runner, source = a_runner()
    await runner.run(WINDOW_S + 60)
    assert len(source.asked_s) <= 1 + (WINDOW_S + 60) / 10
    source.blind = True
    held = await runner.run(3)
    assert held[-1].state.error_budget.left == 1.0
    gone = await runner.run(WINDOW_S / 12 + 12)
    assert condition(gone[-1]) == (Status.UNKNOWN, "NotMeasured")


@pytest.mark.parametrize("window_s", [60.0, 100.0, WINDOW_S])
async def test_what_is_left_stays_known_from_one_question_to_the_next(window_s: float) -> None:
    """It holds for the shortest window allowed, too, whose short windows are of 5 s."""
    runner, _ = a_runner(window_s=window_s)
    await runner.run(window_s + 60)
    looks = await runner.run(60)
    assert {condition(seen) for seen in looks} == {(Status.TRUE, "Left")}


async def test_a_situation_with_answers_is_written_down_and_decided_alike() -> None:
    runner, _ = a_runner()
    calm = (await runner.run(WINDOW_S + 60))[-1]
    runner.world.fluid.delivers = RPS / planned_rps(calm) * 0.8
    for seen in await runner.run(120):
        assert seen.situation is not None
        assert seen.planned is not None
        if seen.situation.answers is None and not seen.is_solved:
            continue
        written = json.dumps(to_json(seen.situation), allow_nan=False)
        read = from_json(Situation, json.loads(written))
        assert read == seen.situation
        again = plan(read)
        assert again.decision == seen.planned.decision
        assert again.error_budget == seen.planned.error_budget


async def test_the_status_says_what_is_left_in_tenths_and_rests() -> None:
    runner, _ = a_runner()
    calm = (await runner.run(WINDOW_S + 60))[-1]
    runner.world.fluid.delivers = RPS / planned_rps(calm) * 0.9
    said, status = [], None
    for seen in await runner.run(2 * WINDOW_S):
        status = status_of(
            seen.service,
            1,
            seen.decision,
            conditions_of(seen),
            status,
            seen.now_s,
            changed=seen.plan_changed,
            error_budget=seen.state.error_budget,
        )
        assert status.error_budget is not None
        said.append((status.error_budget.left, status.error_budget.reserve_factor))
    assert said[0] == (1.0, 1.0)
    assert max(factor for _, factor in said) <= MOST_RESERVE
    assert len({left for left, _ in said}) > 1
    changes = sum(before != after for before, after in itertools.pairwise(said))
    assert changes < len(said) / 5


async def test_a_state_without_a_budget_is_read() -> None:
    """Such as the state of an older operator."""
    written = to_json(State())
    del written["error_budget"]
    assert from_json(State, written) == State()
