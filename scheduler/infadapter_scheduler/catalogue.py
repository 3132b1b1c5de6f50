"""What is known of each model besides its estimates: which executors hold it, and its demand."""

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
    """One model. `arrivals` are per second; `unmet` is refused work, in seconds per second."""

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
        The share of a running execution that the next request waits for. A model without points is
        planned on few of its executors and takes over no batches.
        """
        return 1.0 if self.ladder is None else waited_share(len(self.holders))

    def costs_at(self, floor: float) -> Costs | None:
        """
        Return the costs for a request with an accuracy floor; None if no allowed point reaches it.
        """
        return self.costs if self.ladder is None else self.ladder.costs(floor)

    def allow(self, points: Iterable[str] | None, floor: float) -> None:
        """Restrict new requests to these points and this accuracy floor."""
        if self.ladder is None:
            raise ValueError(f"{self.costs.model.name} has no operating points")
        self.costs = self.ladder.allow(points, floor)

    def scale(self, factor: float, each_s: float) -> None:
        """
        Rescale all estimates: everything takes `factor` times as long, and each request `each_s`
        longer.
        """
        (self.costs if self.ladder is None else self.ladder).scale(factor, each_s)
        self.unmet.scale(factor)

    def seed(
        self, point: str | None, execution_s: Mapping[int, float], load_s: float | None
    ) -> None:
        """Replace measurements by a profile, of the model or of one of its points."""
        if self.ladder is None:
            self.costs.seed(execution_s, load_s)
            return
        self.ladder.seed(point, execution_s)
        if load_s is not None:
            self.ladder.reload(load_s)

    def close(self, batch: Batch) -> None:
        """Let the batch take no more requests."""
        if batch in self.open:
            self.open.remove(batch)

    def filled(self, batch: Batch) -> None:
        """The batch has its largest size."""
        self.close(batch)
        self.full.append(batch)

    def reopened(self, batch: Batch) -> None:
        """Members have left the batch, so it can take others."""
        self.left(batch)
        if len(batch.members) < batch.cap and not batch.closed:
            self.open.insert(0, batch)

    def lost(self, executor: Executor) -> None:
        """The executor no longer holds the model, or soon won't."""
        if executor in self.holders:
            self.holders.remove(executor)

    def shut(self, executor: Executor) -> None:
        """Let the model's batches on this executor take no more requests."""
        for batch in executor.plan:
            if batch.model == self.costs.model.name:
                batch.closed = True
                self.left(batch)

    def left(self, batch: Batch) -> None:
        """The batch is no longer planned."""
        self.close(batch)
        if batch in self.full:
            self.full.remove(batch)


def entry_of(model: Model) -> Entry:
    """Return the entry of a new model, with all of its points allowed."""
    if not model.points:
        return Entry(Costs(model))
    ladder = Ladder(model)
    costs = ladder.costs()
    assert costs is not None
    return Entry(costs, ladder=ladder)
