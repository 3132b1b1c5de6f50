"""
The `Cluster` port on Kubernetes: one service's Deployments, their pods, and the steps on them.

Steps use what the last cycle observed; nothing else is remembered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import Conflict, PlatformUnavailable, StepRefused
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_operator.kube.cleanup import clean_up
from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.objects import Owner, Workload
from infadapter_operator.kube.observe import borrowed_kind, running_for
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.paths import deployments
from infadapter_operator.kube.quotas import Quotas
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.running import Running, observed
from infadapter_operator.kube.take_steps import take_step
from infadapter_operator.kube.troubles import refusal_of
from infadapter_operator.kube.write_deployments import Writer
from infadapter_solver.problem import Target


def nobody_else(deployment: str) -> None:
    return None


def _taken(deployment: str, who: str) -> str:
    return (
        f"Deployment {deployment} is sized by {who}, so its pods stay as they are: remove that,"
        " or the variant from this service"
    )


@dataclass(slots=True, kw_only=True)
class KubeCluster:
    """
    The Deployments of one service.

    `claimed` returns the name of an older service that names the same Deployment, if there is one.
    `gated` says whether traffic comes through Services, which then select marked pods only.
    """

    api: KubeApi
    owner: Owner
    workloads: Mapping[str, Workload]
    other_autoscalers: OtherAutoscalers
    claimed: Callable[[str], str | None] = nobody_else
    gated: bool = False
    _quotas: Quotas = field(init=False)
    _running: dict[Target, Running] = field(default_factory=dict)
    _written: set[Target] = field(default_factory=set)  # changed since it was observed
    _taken: dict[Target, str] = field(default_factory=dict)  # a sentence that names the owner

    def __post_init__(self) -> None:
        self._quotas = Quotas(self.api, self.owner)

    async def observe(self, now_s: float) -> Observed:
        """Return the pods. Raises PlatformUnavailable."""
        try:
            scaled = await self.other_autoscalers.of(self.owner.namespace)
            running = await running_for(self.api, self.owner, self.workloads)
        except (ApiRefusal, Conflict) as refusal:
            raise PlatformUnavailable(str(refusal)) from None
        self._running, self._written = {one.target: one for one in running}, set()
        takers = ((one, self._taker(one, scaled)) for one in running)
        self._taken = {one.target: _taken(one.name, who) for one, who in takers if who}
        quotas = await self._quotas.allowed(running, now_s)
        return observed(running, frozenset(self._taken), quotas)

    def _taker(self, running: Running, scaled: Mapping[str, str]) -> str | None:
        """
        Return who else controls the Deployment. One that left the spec is given back in any case.
        """
        if running.workload is None:
            return None
        older = self.claimed(running.name) if running.borrowed else None
        return scaled.get(running.name) or (f"InferenceService {older}" if older else None)

    @property
    def taken(self) -> tuple[str, ...]:
        """One sentence for each target that another controller owns, as last observed."""
        return tuple(self._taken[target] for target in sorted(self._taken))

    @property
    def running(self) -> Mapping[Target, Running]:
        """The Deployments as last observed."""
        return self._running

    async def borrowed_kinds(self) -> Mapping[str, str | None]:
        """
        Return the resource kind of each borrowed Deployment by variant; None if the Deployment or
        its container does not exist. Raises ApiRefusal or PlatformUnavailable.
        """
        kinds: dict[str, str | None] = {}
        for workload in self.workloads.values():
            if workload.deployment:
                path = deployments(self.owner.namespace, workload.deployment)
                there = await self.api.get(path)
                kinds[workload.variant] = borrowed_kind(there, workload) if there else None
        return kinds

    def refused_pods(self) -> list[StepRefused]:
        """Return why Deployments cannot create their pods, as last observed: a quota, a policy."""
        refusals = (refusal_of(running.deployment) for running in self._running.values())
        messages = {refusal.message for refusal in refusals if refusal}
        return [ApiRefusal(403, "", message).as_step_refused() for message in sorted(messages)]

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Take a step. Raises StepRefused or PlatformUnavailable."""
        try:
            await take_step(self._writer(), step)
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    async def clean_up(self, updates: frozenset[Target] = frozenset()) -> None:
        """
        Make the changes outside the plan. Targets in `updates` have changed templates that wait for
        room and are left to the rollout. Raises StepRefused or PlatformUnavailable.
        """
        writer = self._writer()
        try:
            for target, running in tuple(self._running.items()):
                if target not in updates:
                    await clean_up(writer, running)
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    def _writer(self) -> Writer:
        return Writer(
            api=self.api,
            owner=self.owner,
            workloads=self.workloads,
            gated=self.gated,
            running=self._running,
            written=self._written,
        )
