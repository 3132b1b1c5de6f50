"""The scheduler's view of one executor: what it runs, what is planned, and what it holds."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from infadapter_scheduler.batch import Request
from infadapter_scheduler.model import Costs
from infadapter_scheduler.residency import PageCache
from infadapter_scheduler.timeline import Timeline

ROUNDING_S = 1e-10

DUE_S = 2e-8
"""Tolerance, s, within which something is due now; the next batch is sent as early."""


class Sent(NamedTuple):
    """A Run that has not ended, or a load in the same queue (`run` 0)."""

    run: int
    costs: Costs
    members: list[Request]
    expected_s: float
    reaches_s: float  # the executor: it doesn't begin before
    teaches: bool = True  # whether its duration updates the estimate
    point: int = 0
    trial: bool = False
    guess: bool = False  # the expected duration has not been measured

    def learn(self, seconds: float) -> None:
        """Update the estimate with the measured duration."""
        if self.costs.choices is None:
            self.costs.learn(len(self.members), seconds)
        else:
            self.costs.choices.learn(self.point, len(self.members), seconds)

    def refute(self, seconds: float) -> None:
        """Replace the estimate by the measured duration, since the estimate was wrong."""
        if self.costs.choices is None:
            self.costs.refute(len(self.members), seconds)
        else:
            self.costs.choices.refute(self.point, len(self.members), seconds)


class TriedLoad(NamedTuple):
    """
    A load that only its estimate prevented; the time until which requests would have been in time.
    """

    model: str
    in_time_s: float


class Owed(NamedTuple):
    """Room reserved for a batch of one model."""

    model: str
    room_s: float
    until_s: float


@dataclass(slots=True, eq=False)
class Executor:
    """
    An executor runs one inference at a time. `booked_s` is the expected end of everything sent.
    `shared_load`: loads share the queue of executions; otherwise they have one of their own.
    """

    name: str
    cache: PageCache
    lag_s: float
    shared_load: bool = False
    plan: Timeline = field(default_factory=Timeline)
    sent: deque[Sent] = field(default_factory=deque)
    ran: str = ""  # the model of the last that was sent
    booked_s: float = 0.0
    load_booked_s: float = 0.0
    wake_s: float = -1.0
    calm_until_s: float = -1.0  # after a load for which other models were evicted
    kept_free_s: float = 0.0  # time that admission reserves for a requested load
    tried_load: TriedLoad | None = None
    no_trial_until_s: float = -1.0  # of a load
    owed: Owed | None = None  # and for a batch of a model that others left no room for

    def free_s(self, now_s: float) -> float:
        """
        Return when the next Run could begin: after everything sent, and not before it arrives.
        """
        reached_s = now_s + self.lag_s
        return self.booked_s if self.booked_s > reached_s else reached_s

    def admits_from_s(self, now_s: float) -> float:
        """Return when a request admitted now could begin, if nothing else were planned."""
        reached_s = now_s + self.lag_s
        free_s = self.booked_s if self.booked_s > reached_s else reached_s
        return free_s + self.kept_free_s

    @property
    def idle(self) -> bool:
        """
        Whether nothing runs and nothing is planned. A request is then served without a safety
        buffer; otherwise, after errors for which no buffer suffices, nothing would run and nothing
        could be learnt.
        """
        return not self.sent and not self.plan.size

    def owed_s(self, model: str, now_s: float) -> float:
        """Return the time that a new batch of this model must leave free for another model."""
        if self.owed is None or self.owed.model == model:
            return 0.0
        if self.owed.until_s < now_s:
            self.owed = None
            return 0.0
        return self.owed.room_s

    def settle_debt(self, model: str) -> None:
        if self.owed is not None and self.owed.model == model:
            self.owed = None

    def overdue(self, now_s: float) -> bool:
        """Whether an execution takes longer than expected. Nothing more is sent before it ends."""
        return bool(self.sent) and now_s >= self.booked_s + self.lag_s - DUE_S

    def send(self, sent: Sent, begin_s: float) -> None:
        self.booked_s = begin_s + sent.expected_s
        self.sent.append(sent)
        self.ran = sent.costs.model.name

    def ended(self, run: int, end_s: float) -> Sent | None:
        """
        Record the end of a run. The following one is expected to begin then, or when it arrives.
        """
        for sent in self.sent:
            if sent.run == run:
                return self._over(sent, end_s)
        return None

    def load_ended(self, model: str, end_s: float) -> None:
        found = (s for s in self.sent if not s.run and s.costs.model.name == model)
        self._over(next(found, None), end_s)

    def _over(self, found: Sent | None, end_s: float) -> Sent | None:
        if found is not None:
            self.sent.remove(found)
            self.booked_s = end_s
            for sent in self.sent:
                self.booked_s = max(self.booked_s, sent.reaches_s) + sent.expected_s
        return found

    def settle_waits(self, now_s: float) -> None:
        """Recompute the waits for weights after batches left the plan or grew."""
        if not self.cache.loading:
            return
        at_s = self.free_s(now_s)
        for batch in list(self.plan):
            loading = batch.model in self.cache.loading
            waiting_s = max(0.0, batch.released_s - at_s) if loading else 0.0
            if batch.deferred:
                waiting_s = batch.waiting_s
            if waiting_s != batch.waiting_s:
                batch.waiting_s = waiting_s
                batch.become(batch.members)
                self.plan.changed(batch)
            at_s += batch.work_s

    def released(self, model: str) -> None:
        """The model's weights are loaded: its batches no longer wait."""
        for batch in [batch for batch in self.plan if batch.model == model]:
            batch.waiting_s = 0.0
            batch.become(batch.members)
            self.plan.changed(batch)

    def horizon_s(self, now_s: float) -> float:
        """Return when everything accepted is expected to have ended."""
        return self.free_s(now_s) + self.plan.total_s

    def load_ends_s(self, seconds: float, now_s: float) -> float:
        """
        Return when a load would end. Loads run one at a time, beside executions or among them.
        """
        if self.shared_load:
            return self.free_s(now_s) + seconds
        return max(self.load_booked_s, now_s + self.lag_s) + seconds

    def late_by_load_s(self, seconds: float, now_s: float) -> float:
        """Return by how much an accepted request would be late if a load were sent now, s."""
        if not self.shared_load:
            return 0.0
        self.settle_waits(now_s)
        return self.free_s(now_s) + seconds - self.plan.headroom_s() - ROUNDING_S

    def book_load(self, costs: Costs, now_s: float) -> float:
        """Record that the load is sent, and return its expected end."""
        self.load_booked_s = self.load_ends_s(costs.load.mean, now_s)
        if self.shared_load:
            reaches_s = now_s + self.lag_s
            self.send(Sent(0, costs, [], costs.load.mean, reaches_s), self.free_s(now_s))
        return self.load_booked_s

    def rescale(self, factor: float, each_s: float, now_s: float) -> None:
        """Rescale the durations of everything running and planned."""

        def later_s(at_s: float) -> float:
            return now_s + factor * (at_s - now_s) if at_s > now_s else at_s

        self.booked_s, self.load_booked_s = later_s(self.booked_s), later_s(self.load_booked_s)
        self.sent = deque(
            sent._replace(
                expected_s=max(0.0, factor * sent.expected_s + len(sent.members) * each_s),
                teaches=False,
            )
            for sent in self.sent
        )
        self.booked_s += each_s * sum(len(sent.members) for sent in self.sent)
        for model, expected_s in self.cache.loading.items():
            self.cache.loading[model] = later_s(expected_s)
        for batch in self.plan:
            batch.released_s = later_s(batch.released_s)
            batch.waiting_s *= factor if batch.deferred else 1.0
        self.replan()

    def replan(self) -> None:
        """Recompute the plan after estimates changed."""
        for batch in list(self.plan):
            batch.become(batch.members)
            self.plan.changed(batch)
