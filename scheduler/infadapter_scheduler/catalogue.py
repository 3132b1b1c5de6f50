"""What is known of each model beside its estimates: who holds it, and how it is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.estimate import DecayingRate
from infadapter_scheduler.events import ModelAdded
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs, Model
from infadapter_scheduler.points.ladder import Ladder
from infadapter_scheduler.size_trial import SizeTrials
from infadapter_scheduler.staggered import waited_share
from infadapter_scheduler.trial import RARE_S, Trials

WINDOW_S = 1.0


def _rate() -> DecayingRate:
    return DecayingRate(0.0, WINDOW_S)


@dataclass(slots=True, eq=False)
class Entry:
    """One model. `arrivals` per second; `unmet`: seconds of work that were refused, per second."""

    costs: Costs
    holders: list[Executor] = field(default_factory=list)
    open: list[Batch] = field(default_factory=list)
    full: list[Batch] = field(default_factory=list)
    arrivals: DecayingRate = field(default_factory=_rate)
    unmet: DecayingRate = field(default_factory=_rate)
    rate_rps: float = 0.0
    turn: int = 0
    retry_load_s: float = 0.0
    removed: bool = False  # what was accepted is served, nothing new is
    successor: ModelAdded | None = None  # added under its name meanwhile
    trials: Trials = field(default_factory=Trials)
    size_trials: SizeTrials = field(default_factory=SizeTrials)
    load_trials: Trials = field(default_factory=partial(Trials, RARE_S))
    ladder: Ladder | None = None  # its operating points; `costs` are those of no floor

    @property
    def waited_share(self) -> float:
        """
        Of an execution that has begun, for whoever comes next. A model without points is planned on
        few of its executors, and takes no batch over.
        """
        return 1.0 if self.ladder is None else waited_share(len(self.holders))

    def costs_at(self, floor: float) -> Costs | None:
        """For a request with a floor of accuracy; None where no allowed point reaches it."""
        return self.costs if self.ladder is None else self.ladder.costs(floor)

    def allow(self, points: Iterable[str] | None, floor: float) -> None:
        """These points, from that accuracy on, for whoever comes from now on."""
        if self.ladder is None:
            raise ValueError(f"{self.costs.model.name} has no operating points")
        self.costs = self.ladder.allow(points, floor)

    def scale(self, factor: float, each_s: float) -> None:
        """Everything takes so many times as long now, and each request so much longer."""
        (self.costs if self.ladder is None else self.ladder).scale(factor, each_s)
        self.unmet.scale(factor)

    def seed(
        self, point: str | None, execution_s: Mapping[int, float], load_s: float | None
    ) -> None:
        """A profile in place of what was measured, of the model or of one of its points."""
        if self.ladder is None:
            self.costs.seed(execution_s, load_s)
            return
        self.ladder.seed(point, execution_s)
        if load_s is not None:
            self.ladder.reload(load_s)

    def close(self, batch: Batch) -> None:
        """It takes no more requests."""
        if batch in self.open:
            self.open.remove(batch)

    def filled(self, batch: Batch) -> None:
        """It has all the members it may have."""
        self.close(batch)
        self.full.append(batch)

    def reopened(self, batch: Batch) -> None:
        """Members have left it, so that it can take others."""
        self.left(batch)
        if len(batch.members) < batch.cap and not batch.closed:
            self.open.insert(0, batch)

    def lost(self, executor: Executor) -> None:
        """That executor holds it no longer, or soon won't."""
        if executor in self.holders:
            self.holders.remove(executor)

    def shut(self, executor: Executor) -> None:
        """Its batches there take nobody any more."""
        for batch in executor.plan:
            if batch.model == self.costs.model.name:
                batch.closed = True
                self.left(batch)

    def left(self, batch: Batch) -> None:
        """It is planned no longer."""
        self.close(batch)
        if batch in self.full:
            self.full.remove(batch)


def entry_of(model: Model) -> Entry:
    """A model as it is added, with all of its points allowed."""
    if not model.points:
        return Entry(Costs(model))
    ladder = Ladder(model)
    costs = ladder.costs()
    assert costs is not None
    return Entry(costs, ladder=ladder)
