"""An executor as its driver uses it: orders in, reports out; every wait has a limit."""

import time
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from infadapter_server.executors.messages import (
    ExecutorLost,
    ExecutorReady,
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Order,
    Report,
)
from infadapter_server.executors.port import Executor
from tests.model_variants.fake_models import LATER, stored
from tests.patience import PATIENCE_S


class Rig:
    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.reports: SimpleQueue[Report] = SimpleQueue()
        executor.start(self.reports.put)

    def submit(self, *orders: Order) -> None:
        for order in orders:
            self.executor.submit(order)

    def infer(
        self,
        run: int,
        *rows: float,
        model: str = "doubler",
        earliest_s: float = 0.0,
        latest_s: float = LATER,
    ) -> None:
        inputs = tuple(np.full((1, 2), row, np.float32) for row in rows)
        self.submit(Infer(run, model, inputs, earliest_s, latest_s))

    def load(self, name: str = "doubler", variant: str = "scripted") -> ModelLoaded:
        self.submit(LoadModel(stored(name, variant), 0.0, LATER))
        return self.loaded()

    def next(self) -> Report:
        return self.reports.get(timeout=PATIENCE_S)

    def silent(self, for_s: float) -> bool:
        try:
            self.reports.get(timeout=for_s)
        except Empty:
            return True
        return False

    def ready(self) -> ExecutorReady:
        report = self.next()
        assert isinstance(report, ExecutorReady)
        return report

    def loaded(self) -> ModelLoaded:
        report = self.next()
        assert isinstance(report, ModelLoaded)
        return report

    def inferred(self) -> Inferred:
        report = self.next()
        assert isinstance(report, Inferred)
        return report

    def lost(self) -> str:
        report = self.next()
        assert isinstance(report, ExecutorLost)
        return report.reason


def outputs(report: Inferred) -> list[list[float]]:
    assert report.outputs is not None, report.error
    values: list[list[float]] = report.outputs.tolist()
    return values


def computes(pid: int) -> bool:
    """Whether a model that lingers or hangs is computing in that process."""
    return Path(f"/proc/{pid}/comm").read_text() == "computing\n"


def eventually(holds: object, *, within_s: float = PATIENCE_S) -> bool:
    """Whether a condition becomes true in time; it is checked every few milliseconds."""
    assert callable(holds)
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.005)
    return True
