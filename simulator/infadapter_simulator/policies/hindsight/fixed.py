"""A constant choice, as of an operator who measures once and never again."""

from collections.abc import Mapping
from dataclasses import dataclass

from infadapter_simulator.policies.kubernetes.replicas import begin_with, no_limit
from infadapter_simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Fixed:
    """One pod of one variant with a constant number of cores."""

    variant: str
    cores: int

    @property
    def name(self) -> str:
        return f"fixed-{self.variant}-{self.cores}"

    def begin(self, world: World, mean_rps: float) -> None:
        allocation = world.scenario.allocation(self.variant, 1000 * self.cores)
        begin_with(world, self.variant, allocation, 1)

    def next_act_s(self, now_s: float) -> float:
        return float("inf")

    def act(self, world: World) -> None:
        return

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return no_limit(world.scenario, self.variant)
