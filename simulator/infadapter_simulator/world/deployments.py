"""Deployments of the simulated cluster, one per target."""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_operator.domain.deployment import turnover
from infadapter_operator.domain.observed import Cause, Trouble
from infadapter_simulator.world.faults import Quota, spell_of
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import PodSize, Target


@dataclass(slots=True, kw_only=True)
class Deployment:
    """
    A Deployment. `template` is the size at which its next pod starts, whatever its pods are resized
    to.
    """

    target: Target
    replicas: int
    template: PodSize
    refused_since_s: float | None = None


class Deployments:
    """All Deployments. Existing pods are adopted with the sizes that they have."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_target: dict[Target, Deployment] = {}
        world.controllers.append(self.settle)

    def all(self) -> Sequence[Deployment]:
        found = dict.fromkeys(pod.target for pod in self._world.pods)  # in order, unlike a set
        for target in (target for target in found if target not in self._by_target):
            if pods := self.live(target):
                first = pods[0].size
                self._by_target[target] = Deployment(
                    target=target, replicas=len(pods), template=first
                )
        return tuple(self._by_target.values())

    def scale(self, target: Target, size: PodSize, pods: int) -> None:
        """Scale up. The template changes only if no pod runs, so that nothing is rolled."""
        one = self._of(target, size)
        if not self.runs(one):
            one.template = size
        one.replicas = max(pods, one.replicas)
        self._settle(one)

    def roll(self, target: Target, size: PodSize, pods: int) -> None:
        """
        Replace all pods one after the other, also those that were resized away from an unchanged
        template.
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
        """
        Return why no further pods are created although fewer than requested exist; None for a
        rolling update that waits for room.
        """
        why = self._refuses(one)
        if why is None or one.refused_since_s is None or self._rolls_within_quota(one):
            return None
        return Trouble(cause=Cause.REFUSED, message=why, since_s=one.refused_since_s)

    def exceeded(self, size: PodSize, pod: SimulatedPod | None = None) -> Quota | None:
        """
        Return the quota that has no room for the pod at this size, or for a new pod; None if all
        have.
        """
        quota = self._world.scenario.faults.quota
        if quota is None or not quota.holds(self._world.now_s):
            return None
        more = size.cpu_millicores - (_counted(pod) if pod else 0)
        held = sum(map(_counted, self._world.pods))
        return quota if more > 0 and held + more > quota.millicores else None

    def is_kept_out(self, one: Deployment) -> bool:
        """
        Whether a quota refuses the next pod of a rolling update while no pod of it is starting, as
        on Kubernetes.
        """
        return self._rolls_within_quota(one) and all(
            pod.ready and not pod.leaving for pod in self._all_of(one)
        )

    def _rolls_within_quota(self, one: Deployment) -> bool:
        is_refused = one.refused_since_s is not None and self.exceeded(one.template) is not None
        return is_refused and any(pod.outdated for pod in self._all_of(one))

    def _all_of(self, one: Deployment) -> list[SimulatedPod]:
        return [pod for pod in self._world.pods if pod.target == one.target]

    def runs(self, one: Deployment) -> bool:
        """Whether a change of its template would roll pods."""
        return bool(one.replicas or self.live(one.target))

    def live(self, target: Target) -> list[SimulatedPod]:
        """Return the pods that are not terminating, oldest first."""
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
        made = 0
        while made < pods and self._refuses(one) is None:
            self._world.start(one.target.variant, one.template, kind=one.target.kind)
            made += 1
        if made >= pods:
            one.refused_since_s = None
        elif one.refused_since_s is None:
            one.refused_since_s = self._world.now_s

    def _refuses(self, one: Deployment) -> str | None:
        """Return the platform's message if a further pod is refused, or None."""
        at_s, variant = self._world.now_s, one.target.variant
        if spell := spell_of(self._world.scenario.faults.refused, variant, at_s):
            return spell.message
        quota = self.exceeded(one.template)
        return None if quota is None else f"exceeded quota: {quota.name}"


def _counted(pod: SimulatedPod) -> int:
    return max(pod.size.cpu_millicores, pod.wanted.cpu_millicores)
