"""
A plan and the pods that carry it out: which pods are kept, started and ended for the next plan.
"""

from dataclasses import dataclass

from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import Plan, PodGroup, Target


@dataclass(frozen=True, slots=True)
class Fleet:
    """A plan and the pods that carry it out."""

    plan: Plan
    pods: tuple[SimulatedPod, ...]

    @property
    def is_ready(self) -> bool:
        return all(pod.ready for pod in self.pods)

    def moved_to(self, world: World, plan: Plan) -> "Fleet":
        """
        Return the fleet for the next plan: pods of the right size are kept, missing ones are
        started, and none is ended yet.
        """
        pods: list[SimulatedPod] = []
        for group in plan.groups:
            kept = [pod for pod in self.pods if _is_of(pod, group)][: group.pods]
            pods += [*kept, *started(world, group, group.pods - len(kept))]
        return Fleet(plan, tuple(pods))

    def weights(self, total: int) -> dict[str, int]:
        """
        Return traffic weights: the most accurate variants up to their capacities, as planned; pods
        of one variant get equal shares.
        """
        served_rps = sum(self.plan.served_rps.values()) or 1.0
        shares = {target: rps / served_rps for target, rps in self.plan.served_rps.items()}
        return {
            pod.name: max(1, round(total * shares[pod.target] / self._count(pod.target)))
            for pod in self.pods
            if shares.get(pod.target, 0.0) > 0
        }

    def take_over(self, world: World, total: int) -> None:
        world.route(self.weights(total))
        for pod in world.pods:
            if pod not in self.pods:
                world.remove(pod)

    def _count(self, target: Target) -> int:
        return sum(pod.target == target for pod in self.pods)


def first_fleet(world: World, plan: Plan) -> Fleet:
    """Return a fleet that is Ready before the first request."""
    pods = [pod for group in plan.groups for pod in started(world, group, group.pods, ready=True)]
    return Fleet(plan, tuple(pods))


def started(
    world: World, group: PodGroup, count: int, *, ready: bool = False
) -> list[SimulatedPod]:
    variant, kind = group.target
    return [
        world.start(variant, group.allocation.size, kind=kind, ready=ready) for _ in range(count)
    ]


def _is_of(pod: SimulatedPod, group: PodGroup) -> bool:
    return pod.target == group.target and pod.size == group.allocation.size
