"""A worker: one executor for one controller at a time, whose weights outlive controllers."""

import logging
import threading
from dataclasses import replace

from infadapter_server.executors.messages import (
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Outcome,
    Report,
    UnloadModel,
    UseThreads,
)
from infadapter_server.executors.opening import Opener
from infadapter_server.executors.port import Tell
from infadapter_server.executors.runner import Runner

_log = logging.getLogger(__name__)


class Worker:
    """Runs in the thread that calls `run`; all other methods may be called from any thread."""

    def __init__(self, open_model: Opener, threads: int = 1) -> None:
        self._runner = Runner(open_model, self._report, threads=threads)
        self._resident: dict[str, ModelLoaded] = {}
        self._changed = threading.RLock()
        self._undone = self._stale = 0
        self._tell: Tell | None = None
        self.run, self.end = self._runner.run, self._runner.end
        self.busy_s, self.shared_load = self._runner.busy_s, self._runner.shared_load

    @property
    def resident(self) -> tuple[ModelLoaded, ...]:
        with self._changed:
            held = self._runner.holds()
            return tuple(report for name, report in self._resident.items() if name in held)

    def attach(self, tell: Tell) -> bool:
        """Report to this controller from now on; False if there is another one."""
        with self._changed:
            if self._tell is not None:
                return False
            self._tell = tell
            return True

    def detach(self, tell: Tell) -> None:
        """Drop this controller's pending orders; its models stay loaded."""
        with self._changed:
            if self._tell != tell:
                return
            self._tell = None
            self._undone -= self._runner.forget()
            self._stale = self._undone  # what is being done: it ends before all that follows

    def submit(self, order: Infer | LoadModel | UnloadModel | UseThreads) -> None:
        with self._changed:
            if isinstance(order, Infer | LoadModel):
                self._undone += 1
            self._runner.submit(order)

    @property
    def loading(self) -> bool:
        """Whether the current order is a load."""
        return self._runner.loading

    @property
    def undone(self) -> int:
        """Number of pending orders, those of an earlier controller included."""
        return self._undone

    def _report(self, report: Report) -> None:
        with self._changed:
            if isinstance(report, Inferred | ModelLoaded):
                self._undone -= 1
            if isinstance(report, ModelLoaded):
                self._keep(report)
            if self._stale:
                self._stale -= 1
            elif self._tell is not None:
                self._tell(report)

    def _keep(self, report: ModelLoaded) -> None:
        if report.outcome is Outcome.DONE:
            self._resident[report.model] = self._with_before(report)
            _log.info("loaded %s in %.2f s", report.model, report.end_s - report.begin_s)
        elif report.outcome is Outcome.FAILED:
            _log.warning("%s is not loaded: %s", report.model, report.error)

    def _with_before(self, report: ModelLoaded) -> ModelLoaded:
        """
        Add earlier measurements to a report. A later load measures only the smallest batch, and a
        new controller needs all.
        """
        before = self._resident.get(report.model)
        if before is None or before.version != report.version:
            return report
        return replace(report, execution_s={**before.execution_s, **report.execution_s})
