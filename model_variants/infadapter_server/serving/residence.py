"""
Residence: which models are in which executor's memory, and how that comes about.

After the start the scheduler decides, by what is asked for; people and changed files only tell it
what they want, and wait until it is so.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from infadapter_scheduler import (
    Event,
    KeepLoaded,
    Load,
    LoadWanted,
    Model,
    ModelAdded,
    ModelRemoved,
    Profiled,
    UnloadWanted,
)
from infadapter_server.executors.messages import LoadModel, ModelLoaded, Outcome, UnloadModel
from infadapter_server.serving.catalogue import Changes
from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.repository import NotServed, Repository
from infadapter_server.serving.starting import Start
from infadapter_server.serving.wishes import Wishes

__all__ = ["Residence"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Residence:
    """`tell` takes events to the scheduler; there is none until the start is over."""

    repository: Repository
    tell: Callable[[Event], None]
    slower: Callable[[Model], Model]  # from seconds of a whole core to those of the quota
    start: Start = field(init=False)
    _begun: bool = False
    _wishes: Wishes = field(default_factory=Wishes)

    def __post_init__(self) -> None:
        self.start = Start(self.repository)

    # --- at the start ------------------------------------------------------------------------

    def load_next(self, lane: Lane) -> bool:
        """Order the next load of the start; False if there is none left."""
        name = self.start.next(lane)
        if name is not None:
            self._order(lane, name, 0.0, inf)
        return name is not None

    def loaded_at_start(self, lane: Lane, report: ModelLoaded) -> None:
        self._take(lane, report)
        if report.outcome is not Outcome.DONE:
            self.start.failed(lane, report.model)
        elif self.start.bounded:
            self.unload_from(lane, report.model)
            _log.info("%s was measured, %d loads to go", report.model, self.start.loads_left(lane))

    def models(self) -> list[Model]:
        return [
            self.slower(self.repository.kernel_model(name)) for name in self.repository.models()
        ]

    def settle_in(self) -> None:
        """The scheduler has begun. Nobody waits for these loads."""
        self._begun = True
        for name in self.repository.pinned():
            self.tell(KeepLoaded(name, kept=True))
        for name in self.start.fitting():
            self.tell(LoadWanted(name))

    # --- by the scheduler --------------------------------------------------------------------

    def load_on(self, lane: Lane, action: Load) -> None:
        self._order(lane, action.model, action.earliest_s, action.latest_s)

    def unload_from(self, lane: Lane, name: str) -> None:
        lane.loaded.pop(name, None)
        lane.executor.submit(UnloadModel(name))
        self.repository.standing(name).unloaded(lane.name)
        self._wishes.look(name)

    def loaded(self, lane: Lane, report: ModelLoaded, event: Event) -> None:
        """What the load has measured is told as well: a first one corrects a guess."""
        before = self.repository.known_model(report.model)
        self._take(lane, report)
        self._wishes.look(report.model)
        self.tell(event)
        if before is not None:
            self._correct(before, self.repository.known_model(report.model))
        if report.outcome is Outcome.TOO_LATE and self._wishes.to_load(report.model):
            self.tell(LoadWanted(report.model))

    def _correct(self, before: Model, after: Model | None) -> None:
        if after is None:  # larger than the bound, as it turned out
            self.tell(ModelRemoved(before.name))
        elif after.pages != before.pages:
            self.tell(ModelAdded(self.slower(after)))
            self.tell(LoadWanted(after.name))
        elif after != before:
            slower = self.slower(after)
            self.tell(Profiled(after.name, slower.execution_s, slower.load_s))

    # --- by people ---------------------------------------------------------------------------

    async def load(self, name: str) -> None:
        """Until it is in memory. Raises NotServed."""
        self._check_begun()
        standing = self.repository.standing(name)
        standing.leaving, standing.failure = False, None
        self._wishes.look(name)
        self.tell(LoadWanted(name))
        await self._until(name, lambda: standing.there or standing.failure is not None, load=True)
        if standing.failure is not None:
            raise NotServed(503, f"{name} can't be served: {standing.failure.reason}")

    async def unload(self, name: str) -> None:
        """Until it is out of memory, after the answers to what was accepted. Raises NotServed."""
        self._check_begun()
        if name in self.repository.pinned():
            raise NotServed(400, f"{name} is pinned by its configuration.")
        standing = self.repository.standing(name)
        standing.unloading()
        if not standing.holders:
            self._wishes.refuse_loads(name, NotServed(503, f"{name} was unloaded meanwhile.", 1.0))
        self.tell(UnloadWanted(name))
        await self._until(name, lambda: not standing.leaving, load=False)

    def changed(self, changes: Changes) -> None:
        """The files are others than before."""
        if not self._begun:
            return  # the scheduler begins with those that there are then
        served = self.repository.models()
        for name in (*changes.removed, *changes.changed):
            if name not in served:
                self.tell(ModelRemoved(name))
                self._wishes.refuse_loads(name, NotServed(404, f"{name} is there no longer."))
        for name in (*changes.added, *changes.changed):
            if name in served:
                self._serve(name)

    def _serve(self, name: str) -> None:
        self.tell(ModelAdded(self.slower(self.repository.kernel_model(name))))
        pinned = name in self.repository.pinned()
        self.tell(KeepLoaded(name, kept=pinned))
        if pinned or self._wishes.to_load(name):
            self.tell(LoadWanted(name))

    def _check_begun(self) -> None:
        if not self._begun:
            raise NotServed(503, "The models are still being measured.", 1.0)

    async def _until(self, name: str, reached: Callable[[], bool], *, load: bool) -> None:
        try:
            await self._wishes.until(name, reached, to_load=load)
        except TimeoutError:
            state = self.repository.standing(name).state
            raise NotServed(503, f"{name} is still {state}.", 1.0) from None

    def _order(self, lane: Lane, name: str, earliest_s: float, latest_s: float) -> None:
        stored = self.repository.loading(name, lane.name)
        lane.executor.submit(LoadModel(stored, earliest_s, latest_s))

    def _take(self, lane: Lane, report: ModelLoaded) -> None:
        self.repository.loaded(report, lane.name)
        if report.outcome is Outcome.DONE:
            lane.loaded[report.model] = report.weights_bytes
            _log.info("%s: %s is loaded", lane.name, report.model)
        elif report.outcome is Outcome.FAILED:
            _log.error("%s: %s can't be loaded: %s", lane.name, report.model, report.error)
