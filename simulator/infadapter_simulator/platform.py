"""The Cluster, Router and LoadSource ports on a simulated world."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from operator import attrgetter

import numpy as np

from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History, NoData, QueryFailed, Sample
from infadapter_operator.domain.observed import Cause, Observed, Pod, RouterView, Trouble
from infadapter_operator.domain.ports import QuotaExceeded, StepRefused
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    weights_of,
)
from infadapter_simulator.world.deployments import Deployments
from infadapter_simulator.world.metrics import (
    accuracy_by_pod,
    counts_by_pod,
    late_by_pod,
    scraped_rates,
)
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, PodSize

COUNTED_S = 10.0
"""Interval over which answers are counted, s."""


class SimulatedLoad:
    """The scraped load; each second becomes a sample once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: list[Sample] = []
        self._known_s = 0.0  # the window that was asked for last
        self._counted: tuple[float, Mapping[str, tuple[float, float]]] = (0.0, {})
        self._answers: list[Answers] = []
        self._answered_s = math.floor(world.now_s / COUNTED_S) * COUNTED_S

    async def history(self, window_s: float, now_s: float) -> History:
        if self._world.scenario.faults.is_blind(self._world.now_s):
            raise QueryFailed("Prometheus does not answer.")
        if window_s > self._known_s:
            self._known = []
        self._known_s = window_s
        end_s, rates = scraped_rates(self._world, self._unknown_s())
        at_s = np.arange(end_s - len(rates) + 1, end_s + 1)
        self._known += map(Sample._make, zip(at_s.tolist(), rates.tolist(), strict=True))
        if not self._known:
            raise NoData("Nothing was scraped yet.")
        del self._known[: -int(window_s)]
        return History(tuple(self._known))

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """
        Return what pods delivered since the last call; a pod that restarted in between is unknown.
        """
        (then_s, before), counts = self._counted, counts_by_pod(self._world)
        late, over_s = late_by_pod(self._world, then_s), now_s - then_s
        accuracy = accuracy_by_pod(self._world, then_s)
        self._counted = (now_s, counts)
        return {
            pod: Delivered.counted(
                arrived - before[pod][0],
                refused - before[pod][1] + late[pod],
                over_s,
                accuracy[pod],
            )
            for pod, (arrived, refused) in counts.items()
            if over_s > 0 and arrived >= before.get(pod, (arrived + 1, 0))[0]
        }

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        """Return the outcomes of requests that are answered or late already."""
        scenario = self._world.scenario
        if scenario.faults.is_blind(self._world.now_s):
            return None
        known_s = now_s - scenario.slo_s - scenario.scrape_delay_s
        while self._answered_s + COUNTED_S <= known_s:
            end_s = self._answered_s + COUNTED_S
            fates = self._world.traffic.fates(self._answered_s, end_s)
            self._answers.append(Answers(end_s, COUNTED_S, *fates))
            self._answered_s = end_s
        self._answers = self._answers[-math.ceil(window_s / COUNTED_S) :]
        return tuple(self._answers)

    def _unknown_s(self) -> float:
        """Return how many seconds were scraped since the last known one."""
        end_s, _ = scraped_rates(self._world, 0)
        return end_s - self._known[-1].at_s if self._known else self._known_s


class SimulatedRouter:
    def __init__(self, world: World) -> None:
        self._world = world

    async def view(self) -> RouterView:
        """Return the weights in force; the router applies weights with a delay and in order."""
        router = self._world.router
        return RouterView(
            obeys=router.weights,
            sent=router.sent,
            may_obey=router.may_obey,
            in_between=router.in_between,
        )

    async def set_weights(self, step: SetWeights) -> None:
        self._world.route(weights_of(step.backends))


class SimulatedCluster:
    """The Deployments of a whole run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._deployments = Deployments(world)
        self._seen: dict[str, tuple[object, Pod]] = {}  # by pod, what was told of it last

    async def observe(self, now_s: float) -> Observed:
        return self.seen()

    def seen(self) -> Observed:
        there, pods = self._deployments.all(), self.pods()
        quota = self._world.scenario.faults.quota
        rolling = {pod.target for pod in pods if pod.outdated and not pod.leaving}
        if kept_out := {one.target for one in there if self._deployments.is_kept_out(one)}:
            pods = tuple(replace(p, outdated=p.outdated or p.target in kept_out) for p in pods)
        return Observed(
            pods=pods,
            desired_pods={one.target: one.replicas for one in there},
            rolling=frozenset(rolling - kept_out),
            templates={one.target: one.template for one in there if self._deployments.runs(one)},
            refusals={
                one.target: refusal for one in there if (refusal := self._deployments.refusal(one))
            },
            quotas={quota.name: {CPU: quota.millicores}}
            if quota and quota.holds(self._world.now_s)
            else {},
        )

    def pods(self) -> tuple[Pod, ...]:
        """
        Return the pods; unchanged ones are the same objects as before, which is almost always so.
        """
        before, self._seen = self._seen, {}
        for pod in self._world.pods:
            state, known = _STATE(pod), before.get(pod.name)
            again = known is not None and known[0] == state
            self._seen[pod.name] = known if known and again else (state, _seen(pod))
        return tuple(pod for _, pod in self._seen.values())

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Take the step. Raises StepRefused."""
        match step:
            case ScaleUp():
                self._deployments.scale(step.target, step.size, step.pods)
            case ResizePod():
                self._resize(self._pod(step.pod), step.size)
            case ReplacePods():
                self._deployments.roll(step.target, step.size, step.pods)
            case RemovePods():
                pods = [self._pod(name) for name in step.pods]
                self._deployments.remove(step.target, pods, step.remaining)

    def _resize(self, pod: SimulatedPod, size: PodSize) -> None:
        if quota := self._deployments.exceeded(size, pod):
            raise QuotaExceeded(f"exceeded quota: {quota.name}")
        self._world.resize(pod, size)

    def _pod(self, name: str) -> SimulatedPod:
        for pod in self._world.pods:
            if pod.name == name:
                return pod
        raise StepRefused(f"There is no pod {name}.")


_STATE = attrgetter(*(field.name for field in fields(SimulatedPod)))
"""Everything about a pod that may affect `_seen`."""


def _seen(pod: SimulatedPod) -> Pod:
    return Pod(
        name=pod.name,
        target=pod.target,
        size=pod.size,
        wanted=pod.wanted,
        ready=pod.ready and not pod.leaving,
        created_at_s=pod.created_at_s,
        address=pod.name,
        leaving=pod.leaving,
        unschedulable_since_s=pod.unschedulable_since_s,
        resize=pod.resize,
        resize_since_s=pod.resize_since_s,
        trouble=_told(pod.trouble),
        outdated=pod.outdated,
        unready_since_s=None if pod.ready else pod.unready_since_s,
    )


def _told(trouble: Trouble | None) -> Trouble | None:
    """Hide that a pod runs without being Ready, which no platform reports as trouble."""
    return None if trouble is None or trouble.cause is Cause.NOT_READY else trouble
