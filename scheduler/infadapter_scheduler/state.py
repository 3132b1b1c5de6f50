"""What admission and dispatch share: models, executors, and who is accepted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from infadapter_scheduler.actions import Action, Reason, Refuse
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.pressure import Pressure


@dataclass(slots=True)
class State:
    models: dict[str, Entry]
    buffer: SafetyBuffer
    lag_s: float
    executors: dict[str, Executor] = field(default_factory=dict)
    accepted: dict[int, Request] = field(default_factory=dict)
    pressure: Pressure = field(default_factory=Pressure)

    def give_up(self, requests: Iterable[Request], reason: Reason) -> list[Action]:
        """Those for whose answer somebody waits."""
        return [
            Refuse(request.number, reason, 0.0)
            for request in requests
            if self.accepted.pop(request.number, None)
        ]

    def emptied(self, batch: Batch, executor: Executor) -> None:
        """Nothing of a batch is planned any more."""
        executor.cache.unpin(batch.model)
        self.models[batch.model].left(batch)

    def executors_changed(self) -> None:
        self.pressure.executors = len(self.executors)
