"""A model in released Clockwork: estimates, and a queue for each batch size."""

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from infadapter_scheduler.model import Model

ESTIMATE_WINDOW, ESTIMATE_QUANTILE = 10, 0.99


class Estimate:
    """The interpolated 99th percentile of the last ten values: in effect their maximum."""

    def __init__(self, seed: float) -> None:
        self._values = deque([seed], maxlen=ESTIMATE_WINDOW)
        self.seconds = seed

    def add(self, value: float) -> None:
        self._values.append(value)
        ordered = sorted(self._values)
        at = ESTIMATE_QUANTILE * (len(ordered) - 1)
        low = int(at)
        high = ordered[ceil(at)]
        self.seconds = ordered[low] + (at - low) * (high - ordered[low])


@dataclass(slots=True, eq=False)
class Waiting:
    number: int
    model: "Instance"
    deadline_s: float  # the internal one
    load_by_s: float
    exec_size: float
    load_size: float
    live: bool = True


@dataclass(slots=True, eq=False)
class Instance:
    """A model with one queue per batch size; every request is in all of them."""

    model: Model
    estimates: dict[int, Estimate]
    load: Estimate
    queues: dict[int, deque[Waiting]]
    waiting: dict[int, Waiting] = field(default_factory=dict)

    def prune(self, begin_s: float) -> None:
        """
        Remove requests that cannot be served in a batch of a size any more from that size's queue.
        """
        for size, queue in self.queues.items():
            seconds = self.estimates[size].seconds
            while queue and (not queue[0].live or queue[0].deadline_s < begin_s + seconds):
                queue.popleft()

    def strategy(self) -> tuple[float, int] | None:
        """Return the earliest of the latest starts, and its batch size."""
        starts = [
            (queue[0].deadline_s - self.estimates[size].seconds, size)
            for size, queue in self.queues.items()
            if queue
        ]
        return min(starts, default=None)

    def dequeue(self, least: int) -> list[Waiting]:
        """Return the largest full batch. Requests before its last are skipped for good."""
        best = 0
        for size, queue in self.queues.items():
            if size >= least and sum(waiting.live for waiting in queue) >= size:
                best = size
        if not best:
            return []
        queue = self.queues[best]
        batch: list[Waiting] = []
        while len(batch) < best:
            first = queue.popleft()
            if first.live:
                batch.append(first)
        last = batch[-1].number
        for other in self.queues.values():
            while other and other[0].number <= last:
                other.popleft()
        return batch


def instance_of(model: Model) -> Instance:
    return Instance(
        model,
        {size: Estimate(seconds) for size, seconds in sorted(model.execution_s.items())},
        Estimate(model.load_s),
        {size: deque() for size in sorted(model.execution_s)},
    )
