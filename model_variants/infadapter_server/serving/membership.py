"""
Membership of executors: they join, are prepared and serve; they hang, are lost, and return.

The scheduler counts on an executor once its initial models are loaded, until it hangs or is lost.
There is no scheduler before all models are measured.
"""

import asyncio
import logging
from collections.abc import Callable

from infadapter_scheduler.events import Event, ExecutorJoined, ExecutorLeft
from infadapter_server.executors.messages import ExecutorReady, ModelLoaded
from infadapter_server.networks.signatures import LoadError
from infadapter_server.serving.crew import Crew
from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.residence import Residence

__all__ = ["Membership"]

_log = logging.getLogger(__name__)


class Membership:
    """
    Handles these events. `begin` creates the scheduler. `ended` is set when nothing can compute any
    more; `failure` may say why.
    """

    def __init__(
        self,
        crew: Crew,
        residence: Residence,
        tell: Callable[[Event], None],
        begin: Callable[[], None],
    ) -> None:
        self.ended = asyncio.Event()
        self.failure: LoadError | None = None
        self._crew, self._residence = crew, residence
        self._start = residence.start
        self._tell, self._begin = tell, begin

    def came(self, lane: Lane, ready: ExecutorReady) -> None:
        self._residence.came(lane, ready)
        self._prepare(lane)

    def loaded(self, lane: Lane, report: ModelLoaded) -> None:
        """A load that the scheduler does not know has ended."""
        self._residence.loaded_at_start(lane, report)
        if lane.prepared:
            self.rejoin(lane)
        else:
            self._prepare(lane)

    def rejoin(self, lane: Lane) -> None:
        """
        Return the executor to the scheduler, unless it is doing something that the scheduler does
        not know.
        """
        if lane.joined or not (self._start.begun and lane.prepared and lane.idle):
            return
        self._join(lane)
        missed, lane.missed = lane.missed, ()
        self._residence.fill(self._crew, missed)

    def hangs(self, lane: Lane, now_s: float) -> None:
        self._residence.rests.hangs(lane, now_s)  # before what waited could be loaded elsewhere
        self.leave(lane)

    def leave(self, lane: Lane) -> None:
        """The executor hangs or is lost: its requests are served elsewhere or refused."""
        if lane.joined:
            lane.joined = False
            lane.waiting.clear()
            self._tell(ExecutorLeft(lane.name))

    def lost(self, lane: Lane, reason: str) -> None:
        self._residence.rests.lost(lane, reason, self._residence.clock())
        lane.went()
        self.leave(lane)
        self._residence.lost(lane)
        self._pass_on(lane)
        if self._crew.all_lost:
            _log.error("There is no executor left: %s", reason)
            self.ended.set()

    def _prepare(self, lane: Lane) -> None:
        """Order the next initial load, if there is one."""
        if self._residence.load_next(lane):
            return
        lane.prepared = True
        if self._start.begun:
            self.rejoin(lane)
        elif failure := self._residence.repository.failure():
            self._failed(lane, failure)
        elif self._start.over(lane):
            self._begin_with_all()

    def _failed(self, lane: Lane, failure: str) -> None:
        """No model can be loaded on this executor; perhaps on others."""
        if all(other.prepared for other in self._crew):
            self.failure = LoadError(failure)
            self.ended.set()
        else:
            self._pass_on(lane)

    def _pass_on(self, lane: Lane) -> None:
        """Hand over what the executor was to measure."""
        others = (other for other in self._crew if other.present and other is not lane)
        heirs = [other for other in others if other.loads or not lane.present]
        heir = self._start.inherited(lane, heirs)
        if heir is not None:
            self._residence.make_room(heir)
            if heir.prepared:
                heir.prepared = False
                self._prepare(heir)

    def _begin_with_all(self) -> None:
        self._start.begun = True
        self._begin()
        for lane in self._crew:
            if lane.prepared and lane.idle:
                self._join(lane)
        self._residence.settle_in(self._crew)

    def _join(self, lane: Lane) -> None:
        lane.joined = True
        self._tell(
            ExecutorJoined(lane.name, lane.pages, tuple(lane.loaded), shared_load=lane.shared_load)
        )
