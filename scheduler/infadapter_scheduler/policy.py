"""
The interface of scheduling policies, so that the parts of the scheduler can be compared with
others.
"""

from typing import Protocol

from infadapter_scheduler.actions import Action
from infadapter_scheduler.events import Event


class Policy(Protocol):
    """Events in, actions out. The driver sends a Tick at `next_tick_s`."""

    @property
    def decides_at_arrival(self) -> bool:
        """
        Whether a request that isn't refused on arrival is accepted; other policies decide when a
        batch is sent.
        """
        ...

    def handle(self, event: Event, now_s: float) -> list[Action]: ...

    def next_tick_s(self) -> float: ...
