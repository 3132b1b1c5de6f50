"""Scheduling policies by the names of the command line."""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from infadapter_scheduler.model import Model
from infadapter_scheduler.policies.limits import AdditiveIncrease, BatchLimit, One
from infadapter_scheduler.policies.queueing import Queueing, by_arrival, by_deadline
from infadapter_scheduler.policies.released import ReleasedClockwork
from infadapter_scheduler.policy import Policy
from infadapter_scheduler.scheduler import Scheduler

Make = Callable[[Sequence[Model], float | None, float], Policy]
"""A factory: models, safety buffer in seconds (None: as measured), and lag in seconds."""

POLICIES: MappingProxyType[str, Make] = MappingProxyType(
    {
        "infadapter": lambda models, buffer_s, lag_s: Scheduler(
            models, buffer_s=buffer_s, lag_s=lag_s
        ),
        "clockwork": lambda models, buffer_s, lag_s: ReleasedClockwork(
            models, buffer_s=buffer_s, lag_s=lag_s
        ),
        "fifo": lambda models, buffer_s, lag_s: Queueing(models, by_arrival, One()),
        "fifo-batching": lambda models, buffer_s, lag_s: Queueing(models, by_arrival, BatchLimit()),
        "aimd": lambda models, buffer_s, lag_s: Queueing(models, by_arrival, AdditiveIncrease()),
        "edf": lambda models, buffer_s, lag_s: Queueing(models, by_deadline, BatchLimit()),
    }
)
