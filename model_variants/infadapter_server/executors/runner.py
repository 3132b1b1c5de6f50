"""
The loop of an executor: one order at a time, ordered by `earliest_s`, in time or not at all. The
same in a thread, a child process and a worker.
"""

import logging
import time
from collections.abc import Callable

import numpy as np

from infadapter_server.executors.agenda import Agenda
from infadapter_server.executors.held import Held
from infadapter_server.executors.messages import (
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Order,
    Outcome,
    UnloadModel,
    UseThreads,
)
from infadapter_server.executors.opening import Opener
from infadapter_server.executors.port import Tell
from infadapter_server.networks.signatures import RAISED, LoadError

_log = logging.getLogger(__name__)


class Runner:
    """Orders may be submitted from any thread; they run in the thread that calls `run`."""

    shared_load = True  # one loop does loads and executions

    def __init__(
        self,
        open_model: Opener,
        tell: Tell,
        *,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._tell, self._clock = open_model, tell, clock
        self._models: dict[str, Held] = {}
        self._threads = threads
        self._agenda = Agenda(clock)
        self._busy_since_s: float | None = None
        self.loading = False  # the present order is a load

    def submit(self, order: Order) -> None:
        self._agenda.add(order)

    def forget(self) -> int:
        """Drop the pending work of a controller that has gone, and return how much it was."""
        return self._agenda.forget()

    def holds(self) -> frozenset[str]:
        """Return the models that will be loaded after the orders given so far."""
        return frozenset(self._models) - self._agenda.going()

    def end(self) -> None:
        """End after the current order."""
        self._agenda.end()

    def run(self) -> None:
        while (order := self._agenda.next()) is not None:
            self._busy_since_s = self._clock()
            self.loading = isinstance(order, LoadModel)
            self._do(order)
            self._busy_since_s, self.loading = None, False

    def busy_s(self) -> float:
        """Return how long the current order has been running, s."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else self._clock() - since_s

    def _do(self, order: Order) -> None:
        match order:
            case Infer():
                self._tell(self._infer(order))
            case LoadModel():
                self._tell(self._load(order))
            case UnloadModel():
                self._models.pop(order.model, None)
            case UseThreads():
                self._use_threads(order.threads)

    def _infer(self, order: Infer) -> Inferred:
        begin_s = self._clock()
        if begin_s > order.latest_s:
            return Inferred(order.run, Outcome.TOO_LATE, begin_s, begin_s)
        model = self._models.get(order.model)
        if model is None:
            error = f"{order.model} is not loaded."
            return Inferred(order.run, Outcome.FAILED, begin_s, begin_s, error=error)
        try:
            rows = order.rows[0] if len(order.rows) == 1 else np.concatenate(order.rows)
            outputs = model.answer(rows, order.point)
        except RAISED as error:
            return self._failed(order, begin_s, error)
        return Inferred(order.run, Outcome.DONE, begin_s, self._clock(), outputs)

    def _failed(self, order: Infer, begin_s: float, error: BaseException) -> Inferred:
        _log.error("%s failed: %s: %s", order.model, type(error).__name__, error)
        said = f"{type(error).__name__}: {error}"
        return Inferred(order.run, Outcome.FAILED, begin_s, self._clock(), error=said)

    def _load(self, order: LoadModel) -> ModelLoaded:
        begin_s, name = self._clock(), order.stored.name
        if begin_s > order.latest_s:
            return ModelLoaded(name, Outcome.TOO_LATE, begin_s, begin_s)
        try:
            model = Held(self._open(order.stored), order.stored)
            model.use_threads(self._threads)
            execution_s, points = model.warmed_up(self._clock)
            weights_bytes = model.weights_bytes
        except LoadError as error:
            return ModelLoaded(name, Outcome.FAILED, begin_s, self._clock(), error=str(error))
        except RAISED as error:
            kind = type(error).__name__
            said = f"{name} can't compute what its configuration says ({kind}: {error})."
            return ModelLoaded(name, Outcome.FAILED, begin_s, self._clock(), error=said)
        self._models[name] = model
        return ModelLoaded(
            name,
            Outcome.DONE,
            begin_s,
            self._clock(),
            weights_bytes,
            execution_s,
            version=order.stored.version,
            points=points,
        )

    def _use_threads(self, threads: int) -> None:
        # In this thread: OpenMP keeps the number per thread.
        self._threads = threads
        for model in self._models.values():
            model.use_threads(threads)
