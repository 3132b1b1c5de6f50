"""What the scheduler knows of one executor: what it runs, what is planned, what it holds."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from infadapter_scheduler.batch import Request
from infadapter_scheduler.model import Costs
from infadapter_scheduler.residency import PageCache
from infadapter_scheduler.timeline import Timeline


class Sent(NamedTuple):
    """A Run whose end has not been told."""

    run: int
    costs: Costs
    members: list[Request]
    expected_s: float
    reaches_s: float  # the executor: it doesn't begin before


@dataclass(slots=True, eq=False)
class Executor:
    """One inference at a time. `booked_s`: when all that was sent is expected to have ended."""

    name: str
    cache: PageCache
    lag_s: float
    plan: Timeline = field(default_factory=Timeline)
    sent: deque[Sent] = field(default_factory=deque)
    booked_s: float = 0.0
    load_booked_s: float = 0.0
    wake_s: float = -1.0

    def free_s(self, now_s: float) -> float:
        """When the next Run could begin: after what was sent, and not before it gets there."""
        reached_s = now_s + self.lag_s
        return self.booked_s if self.booked_s > reached_s else reached_s

    def overdue(self, now_s: float) -> bool:
        """An execution takes longer than expected: nothing more is sent before it has ended."""
        return bool(self.sent) and now_s >= self.booked_s + self.lag_s

    def send(self, sent: Sent, begin_s: float) -> None:
        self.booked_s = begin_s + sent.expected_s
        self.sent.append(sent)

    def ended(self, run: int, end_s: float) -> Sent | None:
        """What was sent after it is expected to begin then, or when it gets there."""
        found = next((sent for sent in self.sent if sent.run == run), None)
        if found is not None:
            self.sent.remove(found)
            self.booked_s = end_s
            for sent in self.sent:
                self.booked_s = max(self.booked_s, sent.reaches_s) + sent.expected_s
        return found

    def settle_waits(self, now_s: float) -> None:
        """How long it will wait for weights, after what has left the plan or grown in it."""
        if not self.cache.loading:
            return
        at_s = self.free_s(now_s)
        for batch in list(self.plan):
            loading = batch.model in self.cache.loading
            waiting_s = max(0.0, batch.released_s - at_s) if loading else 0.0
            if waiting_s != batch.waiting_s:
                batch.waiting_s = waiting_s
                batch.become(batch.members)
                self.plan.changed(batch)
            at_s += batch.work_s

    def released(self, model: str) -> None:
        """Its weights are there: its batches wait no longer."""
        for batch in [batch for batch in self.plan if batch.model == model]:
            batch.waiting_s = 0.0
            batch.become(batch.members)
            self.plan.changed(batch)

    def horizon_s(self, now_s: float) -> float:
        """When all that was accepted is expected to have ended."""
        return self.free_s(now_s) + self.plan.total_s

    def load_ends_s(self, seconds: float, now_s: float) -> float:
        """Loads go one at a time, beside the executions."""
        return max(self.load_booked_s, now_s + self.lag_s) + seconds
