"""
Watch for executors that hang, for the models that rest because of that, and for models that fail at
every request.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from math import inf

import numpy as np

from infadapter_server.executors.messages import Infer, Inferred, Outcome
from infadapter_server.serving.crew import Crew
from infadapter_server.serving.failing import Failing
from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.repository import Repository

__all__ = ["Watch"]

EVERY_S = 0.25
_log = logging.getLogger(__name__)


class Watch:
    """
    `hangs` is called for an executor that must get no more work; `rested` with the current time.
    """

    def __init__(
        self,
        crew: Crew,
        repository: Repository,
        hangs: Callable[[Lane, float], None],
        rested: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._crew, self._repository = crew, repository
        self._hangs, self._rested, self._clock = hangs, rested, clock
        self._models: defaultdict[str, Failing] = defaultdict(Failing)
        self._numbers = count(-1, -1)  # of runs that the scheduler knows nothing of
        self._checking: dict[int, str] = {}

    def broken(self, model: str) -> bool:
        return self._models[model].broken

    @property
    def all_broken(self) -> bool:
        """
        Whether all models are broken. A single one is refused; if all are, a new process may help.
        """
        models = self._repository.models()
        return bool(models) and all(self.broken(name) for name in models)

    @property
    def none_served(self) -> bool:
        """
        Whether there are models, and none can be served before it is repaired or its rest is over.
        """
        return self._repository.unserved() is not None

    def ended(self, model: str, *, good: bool) -> None:
        """Record an execution of client inputs."""
        self._models[model].ended(good)

    def checked(self, report: Inferred) -> bool:
        """Whether the report belongs to a check by the server itself."""
        model = self._checking.pop(report.run, None)
        if model is not None:
            self._models[model].checked(report.outcome is Outcome.DONE)
        return model is not None

    async def run(self) -> None:
        before: set[Lane] = set()  # seen twice, since reports wait where the loop was kept busy
        while True:
            await asyncio.sleep(EVERY_S)
            now_s = self._clock()
            suspects = {lane for lane in self._crew if lane.suspect(now_s)}
            for lane in suspects & before:
                self._look_after(lane, now_s)
            before = suspects
            self._rested(now_s)
            for name, failing in self._models.items():
                if failing.wants_check(now_s):
                    self._check(name)

    def _look_after(self, lane: Lane, now_s: float) -> None:
        """
        Check one executor. One that restarts by itself does so only once its hanging process is
        ended.
        """
        if lane.joined:
            what = "a load" if lane.loading else "an execution"
            _log.error("%s has not come back from %s", lane.name, what)
            self._hangs(lane, now_s)
        if lane.stuck(now_s):
            self._hangs(lane, now_s)
            if lane.executor.returns:
                _log.error("%s hangs: it is given up", lane.name)
                lane.executor.abandon()

    def _check(self, model: str) -> None:
        lane, stored = self._crew.with_model(model), self._repository.models().get(model)
        if lane is None or stored is None:
            return
        number = next(self._numbers)
        self._checking[number] = model
        rows = (np.zeros((1, *stored.signature.input_shape), np.float32),)
        lane.executor.submit(Infer(number, model, rows, earliest_s=0.0, latest_s=inf))
