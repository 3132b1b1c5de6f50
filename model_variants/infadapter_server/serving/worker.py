"""The thread that computes: it loads the model, warms it up, then runs one inference at a time.

The event loop never computes, so health checks and metrics do not wait behind an inference
(measured: 0.4 ms against 47 ms with inference in the event loop). There is one thread, not a
pool: two inferences at once would share the same cores and each be late.
The queue is first come, first served. A scheduler that knows execution times takes its place by
deciding what `_compute` runs next.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from infadapter_server.networks.signatures import Floats, LoadError, Model, Signature
from infadapter_server.serving.metrics import ServerMetrics

__all__ = ["InferenceError", "Worker"]

_WARM_UPS = 3
_log = logging.getLogger(__name__)


class InferenceError(Exception):
    """The model could not compute a batch that looked right."""


@dataclass(frozen=True, slots=True)
class _Task:
    batch: Floats
    answer: asyncio.Future[Floats]


class Worker:
    """Runs a model in a thread of its own. All methods are for the thread of the event loop."""

    def __init__(
        self, load: Callable[[], Model], signature: Signature, metrics: ServerMetrics
    ) -> None:
        self.ready = False
        self.failure: LoadError | None = None
        self.threads = 1  # what the model may compute with; may be changed at any time
        self._load = load
        self._signature = signature
        self._metrics = metrics
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._waiting: set[asyncio.Future[Floats]] = set()
        self._ended = asyncio.Event()

    def start(self) -> None:
        """Begin to load; `ready` says when that is done."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def infer(self, batch: Floats) -> Floats:
        """Compute a batch after those that came before it. Raises InferenceError."""
        if self._ended.is_set():
            raise InferenceError("The server is shutting down.")
        answer: asyncio.Future[Floats] = self._loop.create_future()
        self._waiting.add(answer)
        answer.add_done_callback(self._waiting.discard)
        self._tasks.put(_Task(batch, answer))
        return await answer

    async def ended(self) -> None:
        """Wait until the thread has ended, by `stop` or by a fault that `failure` tells."""
        await self._ended.wait()

    async def stop(self) -> None:
        """Finish what was asked for, then end the thread."""
        self._tasks.put(None)
        await self._ended.wait()
        # It has nothing left to do; but Python aborts if it ends while torch's thread still does.
        self._thread.join()

    def _run(self) -> None:
        try:
            model = self._make_ready()
            while (task := self._tasks.get()) is not None:
                if not task.answer.cancelled():
                    self._compute(model, task)
        except LoadError as error:
            self.failure = error
        finally:
            self.ready = False
            self._tell(self._end)

    def _make_ready(self) -> Model:
        began = time.perf_counter()
        model = self._load()
        self._set_threads(model)
        for _ in range(_WARM_UPS):
            model(np.zeros((1, *self._signature.input_shape), np.float32))
        load_s = time.perf_counter() - began
        self._metrics.load_seconds.set(load_s)
        _log.info("ready after %.1f s; an inference uses %d threads", load_s, self._threads_set)
        self.ready = True
        return model

    def _compute(self, model: Model, task: _Task) -> None:
        if self.threads != self._threads_set:
            self._set_threads(model)
        try:
            with self._metrics.inference_seconds.time():
                result = model(task.batch)
        except RuntimeError as error:  # torch's own kind: out of memory, and the like
            self._tell(_fail, task.answer, InferenceError(str(error)))
        else:
            self._tell(_succeed, task.answer, result)

    def _set_threads(self, model: Model) -> None:
        # Here and not in the event loop: OpenMP keeps the number per thread.
        self._threads_set = self.threads
        model.use_threads(self._threads_set)
        self._metrics.threads.set(self._threads_set)

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(callback, *arguments)

    def _end(self) -> None:
        for answer in tuple(self._waiting):
            _fail(answer, InferenceError("The server is shutting down."))
        self._ended.set()


def _succeed(answer: asyncio.Future[Floats], result: Floats) -> None:
    if not answer.done():  # done: whoever asked has gone away
        answer.set_result(result)


def _fail(answer: asyncio.Future[Floats], error: InferenceError) -> None:
    if not answer.done():
        answer.set_exception(error)
