"""The driver of the kernel, with networks that take as long as the test wants."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import numpy as np
import pytest

from infadapter_server.executors.messages import Inferred, Report
from infadapter_server.executors.port import Tell
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.signatures import Floats, LoadError, Model
from infadapter_server.serving.assembly import always
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.lanes import STUCK_S, SUSPECT_S
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.pacing import Pacing
from infadapter_server.serving.refusal import ClientGone, InferenceError, Unserved
from infadapter_server.serving.serve import Quota, follow_quota
from infadapter_server.serving.slowing import FULL_SPEED, Speed
from infadapter_server.serving.tickets import Ticket
from tests.model_variants.serving_world import STORED, Summing, nothing_hangs, sample, until
from tests.model_variants.test_residence import House, models, virtual
from tests.model_variants.virtual_executor import Kind, VirtualExecutor
from tests.patience import PATIENCE_S

WARM_UPS = [1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8]
SAME = Kind(image_s=0.0, batch_s=0.005)
"""It takes as long whatever the batch."""


def row(*values: float) -> Floats:
    return np.asarray([values], np.float32)


class Asking:
    """A driver, and questions to it."""

    def __init__(
        self, driver: Driver, metrics: ServerMetrics, clock: Callable[[], float] = monotonic
    ) -> None:
        self.driver, self.metrics, self.clock = driver, metrics, clock

    def ask(self, *rows: Floats, within_s: float = PATIENCE_S) -> Ticket:
        return self.driver.ask("sums", self.clock(), within_s, lambda: np.concatenate(rows))

    async def answer(self, *rows: Floats) -> list[float]:
        return [float(value) for value in (await self.ask(*rows).answer)[:, 0]]

    def batches(self) -> float:
        """Executions of clients' inputs that are in the books."""
        return sample(self.metrics.exposition().decode(), "infadapter_server_batch_images_count")

    def outcome(self, kind: str) -> float:
        text = self.metrics.exposition().decode()
        return sample(text, "infadapter_server_outcomes_total", outcome=kind)


class LostAfterAnswers(VirtualExecutor):
    """It has told of its execution, and is lost before anybody has looked at that."""

    def start(self, tell: Tell) -> None:
        def told(report: Report) -> None:
            tell(report)
            if isinstance(report, Inferred):
                self.lose()

        super().start(told)


@asynccontextmanager
async def started(
    load: Callable[[], Model], *, wait: bool = True, pacing: Pacing | None = None
) -> AsyncIterator[Asking]:
    metrics, executor = ServerMetrics("tiny"), ThreadExecutor("executor", lambda _: load())
    driver = Driver(always(STORED), [executor], metrics, pacing=pacing)
    driver.start()
    try:
        with nothing_hangs():
            if wait:
                await until(lambda: driver.ready)
            yield Asking(driver, metrics)
    finally:
        await driver.stop(PATIENCE_S)


class Virtually(Asking):
    """In virtual time: an execution takes what `takes` says, from the next one on."""

    def __init__(self, kind: Kind, pacing: Pacing | None = None) -> None:
        self.kinds = {"sums": kind}
        self.executor = VirtualExecutor("executor", self.kinds)
        clock, metrics = asyncio.get_running_loop().time, ServerMetrics("tiny")
        driver = Driver(always(STORED), [self.executor], metrics, clock=clock, pacing=pacing)
        super().__init__(driver, metrics, clock)
        driver.start()

    async def ready(self) -> None:
        await until(lambda: self.driver.ready)

    def takes(self, kind: Kind) -> None:
        self.kinds["sums"] = kind


async def test_it_is_ready_only_after_loading_and_warming_up_every_batch_size() -> None:
    model, may_load = Summing(), threading.Event()
    model.may_compute.clear()

    def load() -> Model:
        assert may_load.wait(PATIENCE_S)
        return model

    async with started(load, wait=False) as asking:
        with pytest.raises(Unserved, match="loading"):
            asking.ask(row(1, 1))
        may_load.set()
        await until(lambda: model.batches == [1])
        assert not asking.driver.ready  # it still warms up
        model.may_compute.set()
        await until(lambda: asking.driver.ready)
        assert model.batches == WARM_UPS


async def test_each_question_gets_its_own_answer() -> None:
    async with started(Summing) as asking:
        answers = await asyncio.gather(*(asking.answer(row(n, 1)) for n in range(50)))
        assert answers == [[n + 1] for n in range(50)]
        assert asking.driver.unanswered == 0


async def test_an_executor_that_is_lost_with_its_last_answer_is_no_fault_of_the_answer() -> None:
    executor = LostAfterAnswers("executor", {"sums": Kind()}, returns=True)
    metrics = ServerMetrics("tiny")
    driver = Driver(always(STORED), [executor], metrics)
    asking = Asking(driver, metrics)
    driver.start()
    await until(lambda: driver.ready)
    for _ in range(3):
        assert await asking.answer(row(1, 1)) == [0.0]
        await until(lambda: not driver.ready)
        with pytest.raises(Unserved, match="no_executor"):
            asking.ask(row(1, 1))
        executor.come_back()
        await until(lambda: driver.ready)
    assert driver.unanswered == 0
    assert await driver.stop(1.0)


async def test_images_of_one_question_stay_in_their_order() -> None:
    async with started(Summing) as asking:
        rows = [row(n, 1) for n in range(7)]
        answers = await asyncio.gather(*(asking.answer(*rows) for _ in range(5)))
        assert answers == [[n + 1 for n in range(7)]] * 5


@virtual
async def test_images_of_one_question_are_computed_together_by_an_idle_executor() -> None:
    asking = Virtually(SAME)  # so that a large one is worth it
    await asking.ready()
    for images in (8, 4, 7):
        await asking.answer(*[row(n, 1) for n in range(images)])
    assert asking.executor.batches == [8, 4, 4, 2, 1]


@virtual
async def test_those_that_wait_are_computed_together() -> None:
    asking = Virtually(SAME)
    await asking.ready()
    questions = [asking.ask(row(n, 0)) for n in range(9)]
    await asyncio.gather(*(question.answer for question in questions))
    assert asking.executor.batches == [1, 8]


async def test_a_batch_that_fails_is_counted_and_leaves_others_alone() -> None:
    async with started(Summing) as asking:
        with pytest.raises(InferenceError, match="secret"):
            await asking.answer(row(-1, 0))
        assert await asking.answer(row(2, 3)) == [5]
        assert (asking.outcome("failed"), asking.driver.ready) == (1, True)
        assert asking.driver.unanswered == 0


@virtual
async def test_nobody_computes_for_those_who_have_gone_away() -> None:
    asking = Virtually(Kind())
    await asking.ready()
    asking.takes(Kind(image_s=1.0))
    first = asking.ask(row(1, 1))
    await asyncio.sleep(0.5)  # it is overdue: nothing is sent ahead behind it
    second = asking.ask(*[row(2, 2)] * 8)
    asking.driver.leave(second)
    asking.driver.leave(second)  # once more says nothing new
    with pytest.raises(ClientGone):
        await second.answer
    await first.answer
    assert asking.driver.unanswered == 0
    assert asking.outcome("gone") == 1
    await asyncio.sleep(60)
    assert asking.executor.batches == [1]


async def test_a_question_without_time_enough_is_refused_and_not_even_read() -> None:
    def read() -> Floats:
        raise AssertionError

    model = Summing()
    async with started(lambda: model) as asking:
        with pytest.raises(Unserved, match="no_time") as refused:
            asking.driver.ask("sums", monotonic() - 1, 0.5, read)
        assert not refused.value.accepted
        assert asking.driver.unanswered == 0


async def test_a_question_that_cant_be_read_takes_no_place() -> None:
    def read() -> Floats:
        raise ValueError("nonsense")

    async with started(Summing) as asking:
        for _ in range(3):
            with pytest.raises(ValueError, match="nonsense"):
                asking.driver.ask("sums", monotonic(), 1.0, read)
        assert asking.driver.unanswered == 0
        assert await asking.answer(row(1, 2)) == [3]


@virtual
async def test_who_was_accepted_is_answered_at_the_deadline_whatever_happens() -> None:
    house = House(models(1, image_s=0.001), room=None)
    await house.ready()
    house.kinds["m0"] = Kind(image_s=20.0)
    began_s = asyncio.get_running_loop().time()
    for ticket in [house.ask("m0", within_s=0.2) for _ in range(20)]:
        with pytest.raises(Unserved) as given_up:
            await ticket.answer
        assert given_up.value.accepted
    assert asyncio.get_running_loop().time() == pytest.approx(began_s + 0.2)
    assert house.driver.unanswered == 0
    counted = house.metrics.exposition().decode().splitlines()
    ends = [line for line in counted if '_outcomes_total{outcome="late"' in line]
    ends += [line for line in counted if '_outcomes_total{outcome="cancelled"' in line]
    assert sum(float(line.rpartition(" ")[2]) for line in ends) == 20
    house.kinds["m0"] = Kind()
    await asyncio.sleep(20)
    await house.ask("m0", within_s=0.2).answer


@virtual
async def test_an_executor_that_does_not_come_back_is_found_and_taken_back_when_it_does() -> None:
    asking = Virtually(Kind())
    await asking.ready()
    asking.takes(Kind(image_s=60.0))
    began_s, ticket = asking.clock(), asking.ask(row(1, 1))
    with pytest.raises(Unserved, match="executor_left"):
        await ticket.answer
    assert SUSPECT_S < asking.clock() - began_s < SUSPECT_S + 1.0
    assert (asking.driver.ready, asking.driver.live) == (False, True)
    with pytest.raises(Unserved, match="no_executor"):
        asking.ask(row(1, 1))
    await until(lambda: not asking.driver.live)
    assert STUCK_S < asking.clock() - began_s < STUCK_S + 1.0
    asking.driver.measure()
    assert sample(asking.metrics.exposition().decode(), "infadapter_server_stuck_executors")
    asking.takes(Kind())
    await until(lambda: asking.driver.ready and asking.driver.live)
    assert asking.clock() - began_s == pytest.approx(60.0, abs=1.0)
    await asking.answer(row(2, 3))


async def test_a_model_that_fails_at_everything_is_found_and_one_clients_inputs_are_not_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infadapter_server.serving.failing.CHECK_EVERY_S", 0.1)
    model = Summing()
    async with started(lambda: model) as asking:
        for _ in range(6):
            with pytest.raises(InferenceError):
                await asking.answer(row(-1, 0))
        await until(lambda: len(model.batches) > 12 + 6)  # it was given what it could compute
        assert asking.driver.ready
        assert await asking.answer(row(1, 0)) == [1]  # and what was suspected is over
        model.broken = True
        for _ in range(5):
            with pytest.raises(InferenceError):
                await asking.answer(row(1, 0))
        await until(lambda: not asking.driver.ready)
        assert not asking.driver.live
        with pytest.raises(Unserved, match="failing"):
            asking.ask(row(1, 0))
        model.broken = False
        await until(lambda: asking.driver.ready and asking.driver.live)
        assert await asking.answer(row(2, 3)) == [5]


async def test_stopping_lets_what_is_computed_end() -> None:
    model = Summing()
    async with started(lambda: model) as asking:
        model.hold()
        asking.ask(row(1, 1))
        await model.holds()
        stopping = asyncio.create_task(asking.driver.stop(PATIENCE_S))
        await asyncio.sleep(0.01)
        assert not stopping.done()
        model.may_compute.set()
        assert await stopping
        await until(lambda: not asking.driver.ready)


async def test_threads_follow_a_quota_that_changes() -> None:
    model, cores = Summing(), [2, 2, 1, 3]
    quota = Quota(lambda: cores.pop(0) if len(cores) > 1 else cores[0], lambda: FULL_SPEED)
    async with started(lambda: model) as asking:
        following = asyncio.create_task(follow_quota(asking.driver, quota, 0.001))
        await until(lambda: asking.driver.threads == 3)
        following.cancel()
        await asking.answer(row(1, 1))
    assert model.threads[-1] == 3
    assert set(model.threads) <= {1, 2, 3}


@virtual
async def test_under_a_quota_below_a_core_estimates_are_as_much_longer() -> None:
    shares = [0.5]
    quota = Quota(lambda: 1, lambda: Speed(shares[0]))
    asking = Virtually(Kind(image_s=0.02))
    await asking.ready()
    await asking.ask(row(1, 1), within_s=0.05).answer
    quota.apply(asking.driver)
    shares[0] = 0.1
    quota.apply(asking.driver)  # what takes 20 ms takes 200 by now
    with pytest.raises(Unserved, match="no_time"):
        asking.ask(row(1, 1), within_s=0.15)
    shares[0] = 1.0
    quota.apply(asking.driver)
    await asking.ask(row(1, 1), within_s=0.15).answer


@virtual
async def test_what_is_counted_of_the_network_is_its_time_and_not_its_share_of_the_quota() -> None:
    used_s = [0.0]
    pacing = Pacing(lambda: 0.02, cpu_time_s=lambda: used_s[0])
    asking = Virtually(Kind(image_s=0.02), pacing)
    await asking.ready()
    Quota(lambda: 1, pacing.speed).apply(asking.driver)
    ticket = asking.ask(row(1, 1))
    used_s[0] += 0.02
    await ticket.answer
    await until(lambda: asking.batches() == 1)
    text = asking.metrics.exposition().decode()
    assert sample(text, "infadapter_server_inference_seconds_sum") == pytest.approx(0.02)


@virtual
async def test_who_is_kept_out_by_what_others_cost_is_let_in_when_that_is_long_ago() -> None:
    """Refusals are paid by those who run; while none do, nothing new is learnt of them."""
    used_s = [0.0]
    pacing = Pacing(lambda: 0.9, cpu_time_s=lambda: used_s[0])
    quota = Quota(lambda: 1, pacing.speed)
    asking = Virtually(Kind(), pacing)
    await asking.ready()
    quota.apply(asking.driver)
    await asking.answer(row(1, 1))
    used_s[0] += 0.4
    await asking.answer(row(1, 1))
    await until(lambda: asking.batches() == 2)
    quota.apply(asking.driver)
    await asyncio.sleep(0.6)  # and the quota has paid
    with pytest.raises(Unserved, match="no_time"):
        asking.ask(row(1, 1), within_s=0.15)
    for _ in range(60):
        quota.apply(asking.driver)
    await asking.ask(row(1, 1), within_s=0.15).answer


async def test_a_network_that_does_not_load_ends_the_driver_and_says_why() -> None:
    def load() -> Model:
        raise LoadError("There are no weights.")

    async with started(load, wait=False) as asking:
        await asking.driver.ended()
        assert str(asking.driver.failure) == "There are no weights."
        assert not asking.driver.ready


async def test_an_executor_that_ends_fails_all_that_wait_instead_of_hanging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    class Mistaken(Summing):
        def __call__(self, batch: Floats) -> Floats:
            if batch.any():
                raise KeyboardInterrupt
            return super().__call__(batch)

    async with started(Mistaken) as asking:
        questions = [asking.ask(row(n, 0)) for n in (1, 2)]
        for question in questions:
            with pytest.raises(Unserved, match="executor_left"):
                await question.answer
        await asking.driver.ended()
        assert asking.driver.failure is None
        assert not asking.driver.ready
    await until(lambda: [report.exc_type for report in reported] == [KeyboardInterrupt])
