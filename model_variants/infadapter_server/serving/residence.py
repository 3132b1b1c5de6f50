"""
Residence: which models are in which executor's memory.

After the start the scheduler decides by demand; executors' reports and measurements of loads are
passed to it.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from infadapter_scheduler import (
    Event,
    KeepLoaded,
    Load,
    LoadWanted,
    Model,
    ModelRemoved,
    Point,
    Profiled,
)
from infadapter_server.executors.messages import (
    ExecutorReady,
    LoadModel,
    ModelLoaded,
    Outcome,
    UnloadModel,
)
from infadapter_server.serving.allowances import Allowances
from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.resting import Rests
from infadapter_server.serving.starting import Start
from infadapter_server.serving.wishes import Wishes

__all__ = ["Residence"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Residence:
    """
    The residence of all models. `tell` passes events to the scheduler, which exists only after the
    start.
    """

    repository: Repository
    tell: Callable[[Event], None]
    slower: Callable[[Model], Model]  # from seconds of a whole core to those of the quota
    points: Callable[[str], Sequence[Point]]  # that the scheduler knows of a model
    clock: Callable[[], float]
    start: Start = field(init=False)
    wishes: Wishes = field(init=False)
    allowances: Allowances = field(init=False)
    rests: Rests = field(init=False)

    def __post_init__(self) -> None:
        self.start = Start(self.repository)
        self.allowances = Allowances(self.tell, self.points)
        self.wishes = Wishes(self.repository, self.tell, self.slower, self.allowances)
        self.rests = Rests(self.repository, self.tell, self.wishes)

    # --- at the start of an executor ---------------------------------------------------------

    def came(self, lane: Lane, ready: ExecutorReady) -> None:
        """Let a joining executor keep served models that it holds, and load its initial ones."""
        lane.came(ready, self._pages(ready.memory_bytes))
        for report in ready.resident:
            self._keep(lane, report)
        self.plan(lane)

    def plan(self, lane: Lane) -> None:
        self.start.plan(lane)
        self.make_room(lane)

    def make_room(self, lane: Lane) -> None:
        if self.start.measures(lane):
            for name in list(lane.loaded):
                self.unload_from(lane, name)

    def load_next(self, lane: Lane) -> bool:
        """Order the next initial load; False if none is left."""
        name = self.start.next(lane)
        if name is not None:
            self._order(lane, name, 0.0, inf, all_sizes=not lane.loaded and self.start.begun)
        return name is not None

    def loaded_at_start(self, lane: Lane, report: ModelLoaded) -> None:
        self._take(lane, report)
        if report.outcome is not Outcome.DONE:
            self.start.failed(lane, report.model)
        elif lane.pages is not None and not self.start.begun:
            self.unload_from(lane, report.model)
            _log.info("%s was measured, %d loads to go", report.model, self.start.loads_left(lane))

    def _pages(self, memory_bytes: int | None) -> int | None:
        """Return the executor's own limit, or the server's if that is less."""
        bounds = [self.repository.pages]
        if memory_bytes is not None:
            bounds.append(memory_bytes // self.repository.page_bytes)
        return min((bound for bound in bounds if bound is not None), default=None)

    def _keep(self, lane: Lane, report: ModelLoaded) -> None:
        known = self.repository.resident(report, lane.name)
        if known:
            lane.loaded[report.model] = report.weights_bytes
        if not known or self.start.overfull(lane):
            self.unload_from(lane, report.model)

    def models(self) -> list[Model]:
        return [
            self.slower(self.repository.kernel_model(name)) for name in self.repository.models()
        ]

    def settle_in(self, lanes: Iterable[Lane]) -> None:
        """The scheduler has started. No request waits for these loads."""
        self.wishes.begun = True
        for name in self.repository.pinned():
            self.tell(KeepLoaded(name, kept=True))
        self.fill(lanes)

    def fill(self, lanes: Iterable[Lane], wanted: Iterable[str] = ()) -> None:
        """Load further models into free memory."""
        for name in list(self.start.fitting(lanes, wanted)):
            self.tell(LoadWanted(name))

    # --- by the scheduler --------------------------------------------------------------------

    def load_on(self, lane: Lane, action: Load) -> None:
        self._order(lane, action.model, action.earliest_s, action.latest_s)

    def unload_from(self, lane: Lane, name: str) -> None:
        lane.loaded.pop(name, None)
        lane.executor.submit(UnloadModel(name))
        self.repository.standing(name).unloaded(lane.name)
        self.wishes.look(name)

    def lost(self, lane: Lane) -> None:
        """The executor's memory is lost; requests that wait for a load still do."""
        for name in self.repository.left(lane.name):
            self.wishes.look(name)
            if self.wishes.to_load(name):
                self.tell(LoadWanted(name))

    def loaded(self, lane: Lane, report: ModelLoaded, event: Event) -> None:
        """Report a load and its measurements; a first load corrects a guess."""
        before = self.repository.known_model(report.model)
        self._take(lane, report)
        self.wishes.look(report.model)
        self.tell(event)
        self.allowances.loaded(report.model)
        if before is not None:
            self._correct(before, self.repository.known_model(report.model))
        if report.outcome is Outcome.TOO_LATE and self.wishes.to_load(report.model):
            self.tell(LoadWanted(report.model))

    def _correct(self, before: Model, after: Model | None) -> None:
        if after is None:  # larger than the bound, as it turned out
            self.tell(ModelRemoved(before.name))
        elif after.pages != before.pages or _kinds(after) != _kinds(before):
            self.tell(self.allowances.added(self.slower(after)))
            self.tell(LoadWanted(after.name))
        elif after != before:
            self._profile(self.slower(after))

    def _profile(self, model: Model) -> None:
        for point in model.points:
            self.tell(Profiled(model.name, point.execution_s, model.load_s, point.name))
        if not model.points:
            self.tell(Profiled(model.name, model.execution_s, model.load_s))

    def _order(
        self,
        lane: Lane,
        name: str,
        earliest_s: float,
        latest_s: float,
        *,
        all_sizes: bool = False,
    ) -> None:
        stored = self.repository.loading(name, lane.name, all_sizes=all_sizes)
        expected_s = self.repository.expected_load_s(stored)
        lane.load(LoadModel(stored, earliest_s, latest_s), self.clock(), expected_s)

    def _take(self, lane: Lane, report: ModelLoaded) -> None:
        lane.load_ended(report.model, report.end_s)
        rested = self.repository.standing(report.model).rests
        self.repository.loaded(report, lane.name)
        if rested and report.model in self.repository.models():
            self.wishes.serve(report.model)  # it has ended after all
        if report.outcome is Outcome.DONE:
            lane.loaded[report.model] = report.weights_bytes
            _log.info("%s: %s is loaded", lane.name, report.model)
        elif report.outcome is Outcome.FAILED:
            _log.error("%s: %s can't be loaded: %s", lane.name, report.model, report.error)


def _kinds(model: Model) -> list[tuple[str, float]]:
    """Return what no profile tells the scheduler: which points exist."""
    return [(point.name, point.accuracy) for point in model.points]
