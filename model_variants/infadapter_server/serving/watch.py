"""
The watch over executors that don't come back from an execution or a load, over models that rest
after that, and over models that fail at whatever they get.
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
    """`hangs` is told of an executor that nothing more should be sent to; `rested` of the time."""

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
        """One of many is refused by itself; of all of them a new process may get rid."""
        models = self._repository.models()
        return bool(models) and all(self.broken(name) for name in models)

    @property
    def none_served(self) -> bool:
        """There are models, and none can be served before it is mended or its rest is over."""
        return self._repository.unserved() is not None

    def ended(self, model: str, *, good: bool) -> None:
        """An execution of a client's inputs."""
        self._models[model].ended(good)

    def checked(self, report: Inferred) -> bool:
        """True if that was an execution of ours."""
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
        """Who comes back by itself does so only once what it hangs in is ended."""
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
