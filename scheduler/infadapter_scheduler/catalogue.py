"""What is known of each model beside its estimates: who holds it, and how it is asked for."""

from dataclasses import dataclass, field

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.estimate import DecayingRate
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs, Model

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
    successor: Model | None = None  # added under its name meanwhile

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
            if batch.costs is self.costs:
                batch.closed = True
                self.left(batch)

    def left(self, batch: Batch) -> None:
        """It is planned no longer."""
        self.close(batch)
        if batch in self.full:
            self.full.remove(batch)
