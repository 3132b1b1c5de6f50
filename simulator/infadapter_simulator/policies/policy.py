"""What every policy is, ours and those to compare with."""

from collections.abc import Mapping
from typing import Protocol

from infadapter_simulator.world.world import World


class Policy(Protocol):
    """
    Acts on a world at its own times. It sees what the world shows and nothing of the future (the
    schedule made in hindsight is told it when it is made).
    """

    @property
    def name(self) -> str: ...

    def begin(self, world: World, mean_rps: float) -> None:
        """At time 0: have running (`ready=True`, `route(at_once=True)`) what it would choose."""
        ...

    def next_act_s(self, now_s: float) -> float:
        """When it wants to act next, after now."""
        ...

    def act(self, world: World) -> None: ...

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        """
        How many requests wait at its published server, by variant and millicores; None where it has
        none of its own and refuses by the deadline.
        """
        ...
