"""The Deployments that make the pods of ours, one for each target."""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_operator.domain.deployment import turnover
from infadapter_operator.domain.observed import Cause, Trouble
from infadapter_simulator.world.faults import spell_of
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import PodSize, Target


@dataclass(slots=True, kw_only=True)
class Deployment:
    """`template` is the size at which its next pod comes up, whatever its pods are resized to."""

    target: Target
    replicas: int
    template: PodSize
    refused_since_s: float | None = None


class Deployments:
    """Pods that were there before are adopted as they are found."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_target: dict[Target, Deployment] = {}
        world.controllers.append(self.settle)

    def all(self) -> Sequence[Deployment]:
        for target in {pod.target for pod in self._world.pods} - self._by_target.keys():
            pods = self.live(target)
            if pods:
                first = pods[0].size
                self._by_target[target] = Deployment(
                    target=target, replicas=len(pods), template=first
                )
        return tuple(self._by_target.values())

    def scale(self, target: Target, size: PodSize, pods: int) -> None:
        """Up. The template changes only where none of its pods runs, so that nothing rolls."""
        one = self._of(target, size)
        if not self.runs(one):
            one.template = size
        one.replicas = max(pods, one.replicas)
        self._settle(one)

    def roll(self, target: Target, size: PodSize, pods: int) -> None:
        """
        All pods there are are replaced, one after the other: also by pods of the template's own
        size, where they were resized away from it.
        """
        one = self._of(target, size)
        for pod in self.live(target):
            pod.outdated = True
        one.template, one.replicas = size, pods
        self._settle(one)

    def remove(self, target: Target, pods: Sequence[SimulatedPod], remaining: int) -> None:
        for pod in pods:
            self._world.remove(pod)
        for one in self.all():
            if one.target == target:
                one.replicas = remaining
                self._settle(one)

    def refusal(self, one: Deployment) -> Trouble | None:
        """Why it makes no further pods, while it has fewer than it wants."""
        at_s = self._world.now_s
        spell = spell_of(self._world.scenario.faults.refused, one.target.variant, at_s)
        if spell is None or one.refused_since_s is None:
            return None
        return Trouble(cause=Cause.REFUSED, message=spell.message, since_s=one.refused_since_s)

    def runs(self, one: Deployment) -> bool:
        """Whether a change of its template would roll something."""
        return bool(one.replicas or self.live(one.target))

    def live(self, target: Target) -> list[SimulatedPod]:
        """The oldest first."""
        return [pod for pod in self._world.pods if pod.target == target and not pod.leaving]

    def settle(self) -> None:
        for one in self._by_target.values():
            self._settle(one)

    def _of(self, target: Target, size: PodSize) -> Deployment:
        self.all()
        new = Deployment(target=target, replicas=0, template=size)
        return self._by_target.setdefault(target, new)

    def _settle(self, one: Deployment) -> None:
        due = turnover(self.live(one.target), one.replicas, self._is_available)
        for pod in due.going:
            self._world.remove(pod)
        self._make(one, due.coming)

    def _is_available(self, pod: SimulatedPod) -> bool:
        ready_s = self._world.now_s - pod.ready_since_s
        return pod.ready and ready_s >= self._world.scenario.min_ready_s - 1e-9

    def _make(self, one: Deployment, pods: int) -> None:
        variant, kind = one.target
        refused = spell_of(self._world.scenario.faults.refused, variant, self._world.now_s)
        if pods <= 0 or refused is None:
            one.refused_since_s = None
        elif one.refused_since_s is None:
            one.refused_since_s = self._world.now_s
        for _ in range(0 if refused else pods):
            self._world.start(variant, one.template, kind=kind)
