"""What a policy is, so that the worth of each part of the scheduler can be shown beside others."""

from typing import Protocol

from infadapter_scheduler.actions import Action
from infadapter_scheduler.events import Event


class Policy(Protocol):
    """Events in, actions out. Whoever drives it sends a Tick when `next_tick_s` has come."""

    @property
    def decides_at_arrival(self) -> bool:
        """Who isn't refused on arrival is accepted; others decide when a batch is sent."""
        ...

    def handle(self, event: Event, now_s: float) -> list[Action]: ...

    def next_tick_s(self) -> float: ...
