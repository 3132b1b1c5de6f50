"""The interface of policies, ours and those compared with it."""

from collections.abc import Mapping
from typing import Protocol

from infadapter_simulator.world.world import World


class Policy(Protocol):
    """
    Acts on a world at its own times. It sees the world's state and nothing of the future (a
    schedule made in hindsight gets the future when it is made).
    """

    @property
    def name(self) -> str: ...

    def begin(self, world: World, mean_rps: float) -> None:
        """At time 0, start the pods it would choose (`ready=True`, `route(at_once=True)`)."""
        ...

    def next_act_s(self, now_s: float) -> float:
        """Return the time of its next action, after now."""
        ...

    def act(self, world: World) -> None: ...

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        """
        Return the queue limits of its published server, by variant and millicores; None if it has
        no server of its own, and ours refuses by deadline.
        """
        ...
