"""State shared by admission and dispatch: models, executors and accepted requests."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infadapter_scheduler.actions import Action, Reason, Refuse
from infadapter_scheduler.admission import Offer
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs
from infadapter_scheduler.patience import Impatience
from infadapter_scheduler.pressure import Pressure

if TYPE_CHECKING:
    from infadapter_scheduler.deferral import Deferred


@dataclass(slots=True)
class State:
    models: dict[str, Entry]
    buffer: SafetyBuffer
    lag_s: float
    trials: bool = False  # of what only an estimate stands against
    executors: dict[str, Executor] = field(default_factory=dict)
    accepted: dict[int, Request] = field(default_factory=dict)
    pressure: Pressure = field(default_factory=Pressure)
    impatience: Impatience = field(default_factory=Impatience)
    kept: set[str] = field(default_factory=set)  # models that an operator pinned
    leaving: dict[tuple[str, str], None] = field(default_factory=dict)  # copies, to be unloaded
    wanted: dict[str, None] = field(default_factory=dict)  # models, to be loaded
    deferred: "dict[str, Deferred]" = field(default_factory=dict)  # by executor

    @property
    def unsettled(self) -> bool:
        return bool(self.leaving or self.wanted)

    def offer(
        self, entry: Entry, costs: Costs, request: int, deadline_s: float, now_s: float
    ) -> Offer:
        cap = self.cap(entry, costs, deadline_s - now_s)
        return Offer(request, costs, deadline_s, now_s, self.lag_s, cap)

    def cap(self, entry: Entry, costs: Costs, slo_s: float) -> int:
        """Return the largest batch size for a request with this SLO, at the model's rate of now."""
        waited = entry.waited_share
        cap = costs.cap(slo_s, self.buffer, waited)
        each_rps = entry.rate_rps / max(1, len(entry.holders))  # of an executor
        if each_rps * costs.seconds_each[cap] <= 1.0:
            return cap
        return costs.overload_cap(cap, slo_s, self.buffer, waited, each_rps)

    def keep(self, model: str, kept: bool) -> None:
        (self.kept.add if kept else self.kept.discard)(model)

    def unwanted(self, model: str) -> None:
        """The model need not be loaded any more."""
        self.wanted.pop(model, None)
        for executor in self.executors.values():
            executor.kept_free_s = 0.0

    def give_up(self, requests: Iterable[Request], reason: Reason) -> list[Action]:
        """Refuse those of the requests for which a client still waits."""
        return [
            Refuse(request.number, reason, 0.0)
            for request in requests
            if self.accepted.pop(request.number, None)
        ]

    def emptied(self, batch: Batch, executor: Executor) -> None:
        """Nothing of the batch is planned any more."""
        executor.cache.unpin(batch.model)
        self.models[batch.model].left(batch)

    def executors_changed(self) -> None:
        self.pressure.executors = len(self.executors)
