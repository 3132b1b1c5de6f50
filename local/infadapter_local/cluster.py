"""
The Cluster port on this machine: Deployments whose pods are processes.

Deployments keep their templates and roll as on Kubernetes, whenever they are observed. The one
difference: a process that exits is not replaced automatically. The loop requests another, and knows
the back-off of a target that crashes.
"""

from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter

from infadapter_local.pods import LocalPod, LocalPods
from infadapter_operator.domain.deployment import turnover
from infadapter_operator.domain.observed import Cause, Observed, Pod, Trouble
from infadapter_operator.domain.ports import StepRefused
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_solver.problem import PodSize, Target


@dataclass(slots=True, kw_only=True)
class Deployment:
    """A Deployment. `template` is the size of its next pod, whatever its pods are resized to."""

    target: Target
    replicas: int
    template: PodSize


class LocalCluster:
    """The Deployments of one service. Times are those passed to `observe`."""

    def __init__(self, pods: LocalPods) -> None:
        self.pods = pods
        self._deployments: dict[Target, Deployment] = {}
        self._crashes: dict[Target, Trouble] = {}  # of failed starts, until one succeeds
        self._now_s = 0.0

    async def observe(self, now_s: float) -> Observed:
        """Return the running processes; exited ones are removed, and rolls continue."""
        self._now_s = now_s
        for pod in await self.pods.ended():
            if not pod.leaving:
                self._died(pod)
        for pod in await self.pods.ask_ready():
            self._crashes.pop(pod.target, None)
        there = self._deployments.values()
        for one in there:
            with suppress(StepRefused):  # the next step for these pods reports the reason
                await self._settle(one)
        return Observed(
            pods=tuple(_seen(pod) for pod in self.pods.all()),
            desired_pods={one.target: one.replicas for one in there},
            templates={one.target: one.template for one in there if self._runs(one)},
            rolling=frozenset(one.target for one in there if self._is_rolling(one)),
            refusals=dict(self._crashes),
        )

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Carry out a step. Raises StepRefused."""
        match step:
            case ScaleUp():
                await self._scale_up(step)
            case ResizePod():
                self.pods.resize(step.pod, step.size)
            case ReplacePods():
                await self._roll(step)
            case RemovePods():
                await self._remove(step)

    async def _scale_up(self, step: ScaleUp) -> None:
        """Change the template only if none of its pods runs, so that no pod is rolled."""
        one = self._of(step.target, step.size)
        if not self._runs(one):
            one.template = step.size
        one.replicas = max(step.pods, one.replicas)
        await self._settle(one)

    async def _roll(self, step: ReplacePods) -> None:
        """
        Replace all pods, including those of the current size, since they may have been resized to
        it.
        """
        one = self._of(step.target, step.size)
        for pod in self.pods.live(step.target):
            pod.outdated = True
        one.template, one.replicas = step.size, step.pods
        await self._settle(one)

    async def _remove(self, step: RemovePods) -> None:
        for name in step.pods:
            self.pods.remove(name)
        if step.target in self._deployments:
            self._deployments[step.target].replicas = step.remaining
            await self._settle(self._deployments[step.target])

    async def _settle(self, one: Deployment) -> None:
        """
        Create missing pods. Raises StepRefused, and then lowers the desired number to the actual
        one.
        """
        due = turnover(self.pods.live(one.target), one.replicas, attrgetter("ready"))
        for pod in due.going:
            self.pods.remove(pod.name)
        try:
            for _ in range(due.coming):
                await self.pods.start(one.target, one.template, self._now_s)
        except StepRefused:
            self._give_up(one)
            raise

    def _of(self, target: Target, size: PodSize) -> Deployment:
        new = Deployment(target=target, replicas=0, template=size)
        return self._deployments.setdefault(target, new)

    def _runs(self, one: Deployment) -> bool:
        return bool(one.replicas or self.pods.live(one.target))

    def _is_rolling(self, one: Deployment) -> bool:
        return any(pod.outdated for pod in self.pods.live(one.target))

    def _died(self, pod: LocalPod) -> None:
        """End a roll whose new pod never became Ready; other exits do not stop it."""
        one = self._deployments[pod.target]
        is_failed_start = not (pod.was_ready or pod.outdated)
        if is_failed_start:
            self._note_crash(pod)
        if is_failed_start or not self._is_rolling(one):
            self._give_up(one)

    def _give_up(self, one: Deployment) -> None:
        """Stop the Deployment's rollout: keep its pods, and want no more."""
        live = self.pods.live(one.target)
        for pod in live:
            pod.outdated = False
        one.replicas = min(one.replicas, len(live))

    def _note_crash(self, pod: LocalPod) -> None:
        """Remember the first failed start of a target, until one of its pods becomes Ready."""
        before = self._crashes.get(pod.target)
        self._crashes[pod.target] = Trouble(
            cause=Cause.CRASH,
            message=f"its server ends with exit code {pod.child.returncode} before it is Ready",
            since_s=self._now_s if before is None else before.since_s,
        )


def _seen(pod: LocalPod) -> Pod:
    return Pod(
        name=pod.name,
        target=pod.target,
        size=pod.size,
        wanted=pod.size,
        ready=pod.ready,
        created_at_s=pod.created_at_s,
        address=pod.address,
        leaving=pod.leaving,
        outdated=pod.outdated,
    )
