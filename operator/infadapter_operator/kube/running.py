"""
A Deployment with its pods as read from the API server, and what the loop derives from it. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from infadapter_operator.domain.names import TEMPLATE_ANNOTATION
from infadapter_operator.domain.observed import Observed, Pod, Trouble
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.objects import Server, Workload
from infadapter_operator.kube.quota_status import quota_that_refused
from infadapter_operator.kube.read import annotation, own_server, pod_of, runs_pods, template_size
from infadapter_operator.kube.statuses import is_true, part
from infadapter_operator.kube.templates import digest_of, newest_hash, template_hash
from infadapter_operator.kube.troubles import refusal_of
from infadapter_solver.problem import PodSize, Resources, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Deployment of the service with its pods."""

    target: Target
    deployment: Json
    server: Server
    pods: tuple[Json, ...] = ()
    workload: Workload | None = None  # None: the variant left the spec
    borrowed: bool = False
    quotas: frozenset[str] = frozenset()  # quotas whose remaining room is known

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def replicas(self) -> int:
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def template(self) -> PodSize:
        """The size at which a new pod starts."""
        size = template_size(self.deployment, self.server.container)
        batch_size = size.batch_size
        if self.borrowed and self.workload:
            batch_size = self.workload.batch_size_of(size.resources)
        return PodSize(resources=size.resources, batch_size=batch_size)

    @property
    def is_current(self) -> bool:
        """Whether its pods come from the template in the spec, if the spec has one."""
        return (
            self.workload is None
            or self.borrowed
            or annotation(self.deployment, TEMPLATE_ANNOTATION) == self.workload.digest
        )

    @property
    def digest(self) -> str | None:
        """Digest of the template of new pods without their size; None if no new pods will come."""
        if self.workload is None:
            return None
        return digest_of(self.deployment) if self.borrowed else self.workload.digest

    @property
    def refusal(self) -> Trouble | None:
        """
        Why the platform refuses to create pods from the current template. A template that is about
        to change may be admitted; and a rolling update waits for the room that a quota leaves.
        """
        told = self.is_current and not self._rolls_within_quota
        return refusal_of(self.deployment) if told else None

    @property
    def is_rolling(self) -> bool:
        """
        Whether a rolling update is in progress: pods of an earlier template exist, or it has yet to
        begin.
        """
        return not self._is_noticed or (self._has_earlier_pods and not self.is_kept_out)

    @property
    def is_kept_out(self) -> bool:
        """
        Whether a quota blocks the rolling update: its next pod is refused, and none starts or
        terminates. The update then counts as not begun, so that the loop can make room for it.
        """
        return self._rolls_within_quota and all(map(_stays, self.pods))

    @property
    def _rolls_within_quota(self) -> bool:
        return self._is_noticed and self._has_earlier_pods and self.refused_by in self.quotas

    @property
    def refused_by(self) -> str | None:
        """The quota that refuses further pods, if one does."""
        refusal = refusal_of(self.deployment)
        return quota_that_refused(refusal.message) if refusal else None

    @property
    def _has_earlier_pods(self) -> bool:
        status = self.deployment.get("status") or {}
        return bool(status.get("updatedReplicas", 0) < status.get("replicas", 0))

    @property
    def _is_noticed(self) -> bool:
        """Whether the Deployment's controller has seen its current generation."""
        metadata, status = self.deployment["metadata"], self.deployment.get("status") or {}
        return bool(status.get("observedGeneration", 0) >= metadata.get("generation", 0))

    def seen_pods(self) -> tuple[Pod, ...]:
        seen = ((p, pod_of(p, self.target, own_server(p) or self.server)) for p in self.pods)
        return tuple(
            self._with_batch(replace(pod, outdated=self._is_outdated(made)))
            for made, pod in seen
            if pod
        )

    def _with_batch(self, pod: Pod) -> Pod:
        if not self.borrowed or self.workload is None:
            return pod
        batch_size = self.workload.batch_size_of(pod.wanted.resources)
        return replace(
            pod,
            size=replace(pod.size, batch_size=batch_size),
            wanted=replace(pod.wanted, batch_size=batch_size),
        )

    def _is_outdated(self, pod: Json) -> bool:
        """
        Whether the pod has an earlier template; also while that is unknown, since the fault of an
        old pod may be repaired already.
        """
        if not self.is_current or not self._is_noticed or self.is_kept_out:
            return True
        newest, own = newest_hash(self.deployment), template_hash(pod)
        return self.is_rolling and bool(newest and own) and newest != own


def _stays(pod: Json) -> bool:
    return is_true(part(pod, "status"), "Ready") and "deletionTimestamp" not in pod["metadata"]


def observed(
    running: Iterable[Running],
    untouchable: frozenset[Target],
    quotas: Mapping[str, Resources] | None = None,
) -> Observed:
    known = quotas or {}
    there = tuple(replace(one, quotas=frozenset(known)) for one in running)
    return Observed(
        pods=tuple(pod for one in there for pod in one.seen_pods()),
        desired_pods={one.target: one.replicas for one in there},
        untouchable=untouchable,
        rolling=frozenset(one.target for one in there if one.is_rolling),
        templates={one.target: one.template for one in there if runs_pods(one.deployment)},
        refusals={one.target: refusal for one in there if (refusal := one.refusal)},
        digests={one.target: digest for one in there if (digest := one.digest)},
        quotas=known,
    )
