"""A policy's plans, sampled as InfAdapter's authors sample them."""

from dataclasses import dataclass, field

from infadapter_simulator.measures import SAMPLE_S
from infadapter_simulator.policies.papers.planned import QueueLimits
from infadapter_simulator.policies.policy import Policy
from infadapter_simulator.world.world import World


@dataclass(slots=True)
class Watched:
    """
    A policy, unchanged, with servers that queue by the given limits, and a sample every 5 s of the
    cores that the router sends to. A variant has one pod; of two, one is replacing the other.
    """

    policy: Policy
    server: QueueLimits
    at_s: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    _due_s: float = 0.0  # the policy's next action
    _sample_s: float = 0.0

    @property
    def name(self) -> str:
        return self.policy.name

    def begin(self, world: World, mean_rps: float) -> None:
        self.policy.begin(world, mean_rps)

    def next_act_s(self, now_s: float) -> float:
        return min(self._due_s, self._sample_s)

    def act(self, world: World) -> None:
        if world.now_s >= self._due_s:
            self.policy.act(world)
            self._due_s = self.policy.next_act_s(world.now_s)
        if world.now_s >= self._sample_s:
            self._sample(world)
            self._sample_s += SAMPLE_S

    def queue_limits(self, world: World) -> QueueLimits:
        return self.server

    def _sample(self, world: World) -> None:
        weights = world.weights
        cores = {pod.target: pod.cores for pod in world.pods if pod.name in weights}
        self.at_s.append(world.now_s)
        self.cores.append(sum(cores.values()))
