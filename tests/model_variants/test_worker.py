"""The thread that computes, with networks that take as long as the test wants."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from infadapter_server.networks.signatures import Floats, LoadError, Model, Signature
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.serve import follow_quota
from infadapter_server.serving.worker import InferenceError, Worker

SIGNATURE = Signature(input_shape=(2,), output_shape=(1,))


class Summing:
    """Answers with the sum of each row, once it is let to."""

    weights_bytes = 0

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: list[int] = []
        self.computing_in: set[int] = set()
        self.may_compute = threading.Event()
        self.may_compute.set()

    def __call__(self, batch: Floats) -> Floats:
        self.computing_in.add(threading.get_ident())
        self.batches.append(len(batch))
        assert self.may_compute.wait(10)
        if (batch < 0).any():
            raise RuntimeError("no roots of negative numbers")
        sums: Floats = batch.sum(axis=1, keepdims=True)
        return sums

    def use_threads(self, threads: int) -> None:
        self.threads.append(threads)


def row(*values: float) -> Floats:
    return np.asarray([values], np.float32)


@asynccontextmanager
async def started(load: Callable[[], Model], threads: int = 1) -> AsyncIterator[Worker]:
    worker = Worker(load, SIGNATURE, ServerMetrics("tiny"))
    worker.threads = threads
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.001)


async def test_it_is_ready_only_after_loading_and_warming_up() -> None:
    model, may_load = Summing(), threading.Event()
    model.may_compute.clear()

    def load() -> Model:
        assert may_load.wait(10)
        return model

    async with started(load) as worker:
        assert not worker.ready
        may_load.set()
        await until(lambda: model.batches == [1])
        assert not worker.ready  # it still warms up
        model.may_compute.set()
        await until(lambda: worker.ready)
        assert set(model.batches) == {1}


async def test_each_question_gets_its_own_answer_in_order_and_from_one_thread() -> None:
    model = Summing()
    async with started(lambda: model) as worker:
        answers = await asyncio.gather(*(worker.infer(row(n, 1)) for n in range(20)))
    assert [float(answer[0, 0]) for answer in answers] == [n + 1 for n in range(20)]
    assert len(model.computing_in) == 1
    assert threading.get_ident() not in model.computing_in


async def test_a_batch_that_fails_leaves_the_others_alone() -> None:
    async with started(Summing) as worker:
        with pytest.raises(InferenceError, match="negative"):
            await worker.infer(row(-1, 0))
        assert float((await worker.infer(row(2, 3)))[0, 0]) == 5
        assert worker.ready


async def test_nobody_computes_for_those_who_have_gone_away() -> None:
    model = Summing()
    async with started(lambda: model) as worker:
        await until(lambda: worker.ready)
        model.may_compute.clear()
        first = asyncio.create_task(worker.infer(row(1, 1)))
        second = asyncio.create_task(worker.infer(row(2, 2)))
        await until(lambda: len(model.batches) == 4)  # three to warm up, and the first
        second.cancel()
        await asyncio.wait([second])
        model.may_compute.set()
        assert float((await first)[0, 0]) == 2
    assert len(model.batches) == 4


async def test_stopping_answers_what_was_asked_before() -> None:
    async with started(Summing) as worker:
        questions = [asyncio.create_task(worker.infer(row(n, 0))) for n in range(5)]
        await asyncio.sleep(0)
        await worker.stop()
        assert [float((await question)[0, 0]) for question in questions] == [0, 1, 2, 3, 4]
        assert not worker.ready
        with pytest.raises(InferenceError, match="shutting down"):
            await worker.infer(row(1, 1))


async def test_threads_change_before_the_next_inference_and_in_the_computing_thread() -> None:
    model = Summing()
    async with started(lambda: model, threads=2) as worker:
        await worker.infer(row(1, 1))
        assert model.threads == [2]
        worker.threads = 1
        await worker.infer(row(1, 1))
        await worker.infer(row(1, 1))
    assert model.threads == [2, 1]


async def test_threads_follow_a_quota_that_changes() -> None:
    model, cores = Summing(), [2, 2, 1, 3]
    async with started(lambda: model, threads=2) as worker:
        following = asyncio.create_task(
            follow_quota(worker, lambda: cores.pop(0) if len(cores) > 1 else cores[0], 0.001)
        )
        await until(lambda: worker.threads == 3)
        following.cancel()
        await worker.infer(row(1, 1))
    assert model.threads[-1] == 3
    assert set(model.threads) <= {1, 2, 3}


async def test_a_network_that_does_not_load_ends_the_worker_and_says_why() -> None:
    def load() -> Model:
        raise LoadError("There are no weights.")

    async with started(load) as worker:
        await worker.ended()
        assert str(worker.failure) == "There are no weights."
        assert not worker.ready


async def test_a_mistake_in_the_network_fails_all_that_wait_instead_of_hanging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    class Mistaken(Summing):
        def __call__(self, batch: Floats) -> Floats:
            if batch.any():
                raise KeyError("a mistake")
            return super().__call__(batch)

    async with started(Mistaken) as worker:
        questions = [asyncio.create_task(worker.infer(row(n, 0))) for n in (1, 2)]
        await worker.ended()
        for question in questions:
            with pytest.raises(InferenceError):
                await question
        assert worker.failure is None
    await until(lambda: [report.exc_type for report in reported] == [KeyError])
