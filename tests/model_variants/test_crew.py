"""How long executors are waited for at their end, and what of it is a fault."""

import pytest

from infadapter_scheduler.actions import Run
from infadapter_server.executors.messages import LoadModel, Order
from infadapter_server.executors.port import Tell
from infadapter_server.serving.crew import LOAD_S, Crew
from infadapter_server.serving.lanes import LOAD_SUSPECT_S, OVERDUE, SUSPECT_S, Lane
from tests.model_variants.fake_models import LATER, stored


class Stubborn:
    """It never comes back, and keeps for how long it was waited for."""

    name, returns = "executor", False

    def __init__(self) -> None:
        self.waited_s: list[float] = []

    def start(self, tell: Tell) -> None: ...

    def submit(self, order: Order) -> None: ...

    def abandon(self) -> None: ...

    def stop(self, within_s: float) -> bool:
        self.waited_s.append(within_s)
        return False


@pytest.fixture
def executor() -> Stubborn:
    return Stubborn()


@pytest.fixture
def crew(executor: Stubborn) -> Crew:
    return Crew([executor])


def execute(lane: Lane, at_s: float) -> None:
    lane.send(Run(1, "executor", "doubler", (0,), 0.0, LATER, 0.1), (), at_s)


async def test_an_execution_has_until_nothing_says_that_it_will_end(
    crew: Crew, executor: Stubborn
) -> None:
    execute(crew["executor"], at_s=10.0)
    assert not await crew.stop(2.0, now_s=10.5)
    assert executor.waited_s == [pytest.approx((1 + OVERDUE) * 0.1 + SUSPECT_S - 0.5)]
    assert crew.hung


async def test_one_that_is_overdue_is_waited_for_no_longer_than_is_said(
    crew: Crew, executor: Stubborn
) -> None:
    execute(crew["executor"], at_s=10.0)
    assert not await crew.stop(2.0, now_s=100.0)
    assert executor.waited_s == [2.0]
    assert crew.hung


async def test_for_a_load_nobody_waits_and_it_is_no_fault(crew: Crew, executor: Stubborn) -> None:
    crew["executor"].load(LoadModel(stored(), 0.0, LATER), 10.0, LOAD_SUSPECT_S)
    assert not await crew.stop(2.0, now_s=10.5)
    assert executor.waited_s == [LOAD_S]
    assert not crew.hung


async def test_one_that_does_nothing_and_gets_no_cpu_time_to_end_is_no_fault(
    crew: Crew, executor: Stubborn
) -> None:
    assert not await crew.stop(2.0, now_s=10.5)
    assert executor.waited_s == [2.0]
    assert not crew.hung
