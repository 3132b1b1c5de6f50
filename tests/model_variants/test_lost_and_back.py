"""The server over real processes that are killed under load, hang, and come back."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import numpy as np
import pytest

from infadapter_server.executors.port import Executor
from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.executors.restarting import Restarting
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving.assembly import always
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.refusal import Unserved
from infadapter_server.serving.repository import Repository
from tests.model_variants.fake_models import DIE, HANG, prepare, stored
from tests.model_variants.serving_world import sample
from tests.model_variants.test_remote_executor import process
from tests.patience import PATIENCE_S


class Asked:
    """A driver that is asked all the time, and what became of it."""

    def __init__(self, driver: Driver, metrics: ServerMetrics) -> None:
        self.driver, self.metrics = driver, metrics
        self.fates: Counter[str] = Counter()
        self._asking: list[asyncio.Task[None]] = []

    async def ask(self, value: float = 1.0, within_s: float = PATIENCE_S) -> Floats:
        row = np.full((1, 2), value, np.float32)
        return await self.driver.ask("doubler", monotonic(), within_s, lambda: row).answer

    async def fate(self, within_s: float = PATIENCE_S) -> str:
        try:
            answer = await self.ask(within_s=within_s)
        except Unserved as unserved:
            return unserved.reason
        return "answered" if answer[0, 0] == 2 else "wrong"

    def begin(self, clients: int) -> None:
        self._asking = [asyncio.create_task(self._go_on()) for _ in range(clients)]

    async def end(self) -> None:
        """With the answers that are still awaited."""
        asking, self._asking = self._asking, []
        await asyncio.wait_for(asyncio.gather(*asking), PATIENCE_S)

    async def _go_on(self) -> None:
        while self._asking:
            self.fates[await self.fate()] += 1
            await asyncio.sleep(0.001)

    def metric(self, name: str) -> float:
        self.driver.measure()
        return sample(self.metrics.exposition().decode(), f"infadapter_server_{name}")


@asynccontextmanager
async def driven(
    executors: Sequence[Executor], repository: Repository | None = None
) -> AsyncIterator[Asked]:
    metrics = ServerMetrics("tiny")
    driver = Driver(repository or always(stored()), executors, metrics)
    driver.start()
    asked = Asked(driver, metrics)
    try:
        await until(lambda: asked.metric("executors") == len(executors))
        yield asked
    finally:
        await asked.end()
        assert await driver.stop(PATIENCE_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # another process makes it true
            await asyncio.sleep(0.02)


def children(number: int) -> list[ProcessExecutor]:
    return [ProcessExecutor(f"child-{n}", prepare, slot_bytes=4096) for n in range(number)]


def restarting(executors: Sequence[Executor]) -> list[Executor]:
    return [Restarting(each, first_delay_s=0.02, most_delay_s=0.1) for each in executors]


def kill(child: ProcessExecutor) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)


@pytest.mark.process
async def test_of_two_children_under_load_one_is_killed_and_nobody_else_notices() -> None:
    first, second = children(2)
    async with driven(restarting([first, second])) as asked:
        asked.begin(16)
        await until(lambda: asked.fates["answered"] > 200)
        before = asked.fates["answered"]
        kill(first)
        await until(lambda: asked.metric("executors_lost_total") == 1)
        assert asked.driver.ready
        await until(lambda: asked.metric("executors") == 2)
        await until(lambda: asked.fates["answered"] > before + 200)
        await asked.end()
        assert "wrong" not in asked.fates
        assert asked.fates["executor_left"] <= 16  # those who asked when it was killed
        assert asked.driver.unanswered == 0


@pytest.mark.process
async def test_when_all_children_are_killed_the_server_waits_for_them_and_goes_on() -> None:
    both = children(2)
    async with driven(restarting(both)) as asked:
        asked.begin(4)
        for _ in range(2):
            for child in both:
                kill(child)
            await until(lambda: not asked.driver.ready)
            assert asked.driver.live
            assert await asked.fate() == "no_executor"
            await until(lambda: asked.metric("executors") == 2)
            assert await asked.fate() == "answered"
        await asked.end()
        assert "wrong" not in asked.fates
        assert asked.driver.unanswered == 0


async def test_inputs_that_kill_their_process_cost_their_own_batch_only() -> None:
    async with driven(restarting(children(1))) as asked:
        for _ in range(3):
            with pytest.raises(Unserved, match="executor_left"):
                await asked.ask(DIE)
            await until(lambda: asked.driver.ready)
            assert await asked.fate() == "answered"
        assert asked.metric("executors_lost_total") == 3


async def test_a_child_that_hangs_is_ended_and_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with driven(restarting(children(1))) as asked:
        with monkeypatch.context() as impatient:
            impatient.setattr("infadapter_server.serving.lanes.STUCK_S", PATIENCE_S)
            impatient.setattr("infadapter_server.serving.lanes.SUSPECT_S", 0.3)
            with pytest.raises(Unserved, match="executor_left"):
                await asked.ask(HANG)
            assert asked.driver.live
            impatient.setattr("infadapter_server.serving.lanes.STUCK_S", 0.6)
            await until(lambda: asked.metric("executors_lost_total") == 1)
        await until(lambda: asked.driver.ready)
        assert await asked.fate() == "answered"


async def test_who_waits_while_the_only_child_is_lost_is_told_at_once() -> None:
    (child,) = children(1)
    async with driven([Restarting(child, first_delay_s=600, most_delay_s=600)]) as asked:
        asking = [asyncio.create_task(asked.ask(HANG)) for _ in range(6)]
        await until(lambda: asked.driver.unanswered == 6)
        kill(child)
        fates = await asyncio.gather(*asking, return_exceptions=True)
        reasons = {fate.reason for fate in fates if isinstance(fate, Unserved)}
        assert reasons == {"executor_left"}  # not that their time was over
    # Nor does the end wait for the restart.


@pytest.mark.process
async def test_a_killed_worker_is_missed_and_one_that_starts_in_its_place_serves() -> None:
    with process() as (victim, address), process() as (_, other):
        remotes = [
            RemoteExecutor("victim", address, first_delay_s=0.02, most_delay_s=0.1),
            RemoteExecutor("other", other, first_delay_s=0.02, most_delay_s=0.1),
        ]
        async with driven(remotes) as asked:
            asked.begin(8)
            await until(lambda: asked.fates["answered"] > 50)
            victim.kill()
            victim.wait()
            await until(lambda: asked.metric("executors") == 1)
            before = asked.fates["answered"]
            await until(lambda: asked.fates["answered"] > before + 50)
            with process(int(address.rpartition(":")[2])):
                await until(lambda: asked.metric("executors") == 2)
                before = asked.fates["answered"]
                await until(lambda: asked.fates["answered"] > before + 50)
                await asked.end()
                assert "wrong" not in asked.fates
                assert asked.fates["executor_left"] <= 8
                assert asked.driver.unanswered == 0
                await asked.driver.stop(5)
