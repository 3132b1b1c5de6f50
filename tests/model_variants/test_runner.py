"""The executor's loop: one order at a time, within its window, and every order has a report."""

import time
from dataclasses import replace
from queue import SimpleQueue

import numpy as np
import pytest

from infadapter_server.executors.messages import (
    ExecutorReady,
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Outcome,
    Report,
    UnloadModel,
)
from infadapter_server.executors.opening import Opener
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.signatures import Floats, LoadError, Signature
from infadapter_server.networks.stored import Format, Stored
from tests.model_variants.fake_models import HOLD, MAY_END
from tests.patience import PATIENCE_S

LATER = 1e9
ENDS = -2.0
STORED = Stored(
    name="doubler",
    version="1",
    format=Format.VARIANT,
    signature=Signature(input_shape=(2,), output_shape=(2,)),
    batch_sizes=(1, 2),
)


class Doubler:
    weights_bytes = 8

    def __call__(self, batch: Floats) -> Floats:
        if batch[0, 0] == HOLD:
            assert MAY_END.wait(PATIENCE_S)
        if batch[0, 0] < 0:
            raise (SystemExit if batch[0, 0] == ENDS else ArithmeticError)("negative")
        return batch * 2

    def use_threads(self, threads: int) -> None:
        pass


class Rig:
    def __init__(self, opener: Opener = lambda _: Doubler()) -> None:
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self.executor = ThreadExecutor("executor-0", opener)
        self.executor.start(self.reports.put)
        assert self.next() == ExecutorReady()

    def infer(
        self, run: int, *rows: float, earliest_s: float = 0.0, latest_s: float = LATER
    ) -> None:
        inputs = tuple(np.full((1, 2), row, np.float32) for row in rows)
        self.executor.submit(Infer(run, "doubler", inputs, earliest_s, latest_s))

    def next(self) -> Report:
        return self.reports.get(timeout=PATIENCE_S)

    def inferred(self) -> Inferred:
        report = self.next()
        assert isinstance(report, Inferred)
        return report


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.executor.submit(LoadModel(STORED, 0.0, LATER))
    return rig


def test_a_loaded_model_reports_its_bytes_and_seconds_by_batch_size(rig: Rig) -> None:
    report = rig.next()
    assert isinstance(report, ModelLoaded)
    assert (report.outcome, report.weights_bytes) == (Outcome.DONE, 8)
    assert set(report.execution_s) == {1, 2}


def test_the_rows_of_a_batch_are_computed_at_once(rig: Rig) -> None:
    rig.next()
    rig.infer(1, 3.0, 4.0)
    report = rig.inferred()
    assert report.outputs is not None
    assert report.outputs.tolist() == [[6.0, 6.0], [8.0, 8.0]]
    assert report.begin_s <= report.end_s


def test_too_late_is_dropped_and_told(rig: Rig) -> None:
    rig.next()
    rig.infer(1, 3.0, latest_s=time.monotonic() - 0.01)
    assert rig.inferred().outcome is Outcome.TOO_LATE


def test_nothing_begins_before_its_earliest_and_what_may_begin_goes_first(rig: Rig) -> None:
    rig.next()
    MAY_END.clear()
    rig.infer(0, HOLD)
    earliest_s = time.monotonic() + 0.1
    rig.infer(1, 1.0, earliest_s=earliest_s)
    rig.infer(2, 2.0)
    MAY_END.set()  # both are ordered
    rig.inferred()
    first, second = rig.inferred(), rig.inferred()
    assert (first.run, second.run) == (2, 1)
    assert second.begin_s >= earliest_s


def test_a_model_that_raises_is_reported_and_the_next_is_served(rig: Rig) -> None:
    rig.next()
    rig.infer(1, -1.0)
    rig.infer(2, ENDS)
    rig.infer(3, 1.0)
    outcomes = [rig.inferred().outcome for _ in range(3)]
    assert outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.DONE]


def test_a_model_whose_load_ends_the_program_is_reported_and_the_next_is_served() -> None:
    def ending(stored: Stored) -> Doubler:
        if stored.name == "ending":
            raise SystemExit("no GPU")
        return Doubler()

    rig = Rig(ending)
    rig.executor.submit(LoadModel(replace(STORED, name="ending"), 0.0, LATER))
    report = rig.next()
    assert isinstance(report, ModelLoaded)
    assert report.outcome is Outcome.FAILED
    assert "SystemExit: no GPU" in report.error
    rig.executor.submit(LoadModel(STORED, 0.0, LATER))
    assert isinstance(rig.next(), ModelLoaded)
    rig.infer(1, 1.0)
    assert rig.inferred().outcome is Outcome.DONE


def test_an_unloaded_model_is_not_there(rig: Rig) -> None:
    rig.next()
    rig.executor.submit(UnloadModel("doubler"))
    rig.infer(1, 1.0)
    report = rig.inferred()
    assert (report.outcome, report.error) == (Outcome.FAILED, "doubler is not loaded.")


def test_what_can_not_be_loaded_says_why() -> None:
    def broken(_: Stored) -> Doubler:
        raise LoadError("The file is for another network.")

    reports: SimpleQueue[Report] = SimpleQueue()
    executor = ThreadExecutor("executor-0", broken)
    executor.start(reports.put)
    assert reports.get(timeout=PATIENCE_S) == ExecutorReady()
    executor.submit(LoadModel(STORED, 0.0, LATER))
    report = reports.get(timeout=PATIENCE_S)
    assert isinstance(report, ModelLoaded)
    assert (report.outcome, report.error) == (Outcome.FAILED, "The file is for another network.")
    assert executor.stop(within_s=PATIENCE_S)
