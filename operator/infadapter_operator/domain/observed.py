"""What a platform reports: pods with the sizes in force, and the weights in force."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from infadapter_solver.problem import PodSize, Resources, Target


class Resize(StrEnum):
    NONE = "None"  # the requested size is in force
    IN_PROGRESS = "InProgress"
    DEFERRED = "Deferred"  # the node has no room at the moment
    FAILING = "Failing"  # the kubelet reports an error and retries
    REFUSED = "Refused"  # infeasible on this node, or forbidden by a quota


STUCK = frozenset({Resize.DEFERRED, Resize.FAILING, Resize.REFUSED})
"""Resizes of which it is unknown whether they will end."""


class Cause(StrEnum):
    """Why a pod does not become Ready, or was lost without being removed."""

    NO_NODE = "NoNode"  # no node has room for it
    REFUSED = "PodsRefused"  # the API server refuses to create it: a quota, a policy, a webhook
    IMAGE = "ImageUnavailable"  # it can't be pulled
    CONFIG = (
        "ConfigInvalid"  # a Secret, ConfigMap or volume is missing, or the command can't be run
    )
    CRASH = "CrashLoop"  # its container keeps exiting
    NOT_READY = "NotReady"  # it runs but does not become Ready
    RESIZE = "ResizeRefused"  # its node refuses to let it grow
    NODE_LOST = "NodeLost"  # its node does not answer: its state is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """
    What the platform says about a pod that does not become Ready; the message is its own,
    shortened.
    """

    cause: Cause
    message: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod (or local process) of a target."""

    name: str
    target: Target
    size: PodSize  # in force, not merely requested
    wanted: PodSize  # requested; differs from `size` while a resize is pending
    ready: bool
    created_at_s: float
    address: str = ""  # host:port, empty until it has one
    leaving: bool = False  # terminating: it only finishes its requests
    unschedulable_since_s: float | None = None
    resize: Resize = Resize.NONE
    resize_since_s: float | None = None
    trouble: Trouble | None = None  # as reported by the platform; None: no known trouble
    outdated: bool = False  # of an earlier template: its trouble says nothing of new pods; where
    # its target does not roll, the change has yet to be begun
    unready_since_s: float | None = None  # None: unknown, taken to be since its creation

    @property
    def resources(self) -> Resources:
        return self.size.resources

    @property
    def is_lost(self) -> bool:
        """
        Whether its node is lost: the pod serves nothing and blocks no resources of other nodes.
        """
        return self.trouble is not None and self.trouble.cause is Cause.NODE_LOST


class SurgeLoan(NamedTuple):
    """A loan of surge: more than the budget is held, or was in the last cycle."""

    since_s: float
    is_returned: bool = False  # everything is within the budget in this cycle

    @property
    def held(self) -> "SurgeLoan":
        return SurgeLoan(self.since_s)

    @property
    def returned(self) -> "SurgeLoan":
        return SurgeLoan(self.since_s, is_returned=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """
    The weights that a router obeys, and those that it may still take over, by pod name.

    Only the router's own protocol can prove which earlier weights may still come into force, so the
    router adapter reports them.
    """

    obeys: Mapping[str, int] = field(default_factory=dict)  # confirmed; no zeros
    sent: Mapping[str, int] | None = None  # sent last; None: unknown
    may_obey: frozenset[str] = frozenset()  # named by weights that may still come into force
    in_between: tuple[
        Mapping[str, int], ...
    ] = ()  # each of those weights, and those that `obeys` combines


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """
    The platform and its router as observed in one cycle.

    `weights` are those the router has confirmed, by pod name, not those sent last: a pod is drained
    when no router sends to it or may begin to.
    """

    pods: tuple[Pod, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    desired_pods: Mapping[Target, int] = field(default_factory=dict)  # Deployment.spec.replicas
    untouchable: frozenset[Target] = frozenset()  # owned by another controller (Conflict)
    templates: Mapping[Target, PodSize] = field(
        default_factory=dict
    )  # at what size further pods of a target that has pods come up; as planned where absent
    rolling: frozenset[Target] = frozenset()  # a rolling update is in progress
    stalled: frozenset[Target] = frozenset()  # that roll, and whose new pod is waited for and does
    # not count (the loop leaves it out)
    refusals: Mapping[Target, Trouble] = field(
        default_factory=dict
    )  # targets of which the platform makes no further pods
    digests: Mapping[Target, str] = field(
        default_factory=dict
    )  # of the templates of new pods, but for sizes; none where nothing else of them can change
    pod_limits: Mapping[Target, int] = field(
        default_factory=dict
    )  # of targets whose pods do not come: how many may be planned (the loop remembers)
    awaited_resources: Resources = field(
        default_factory=dict
    )  # held by pods that are waited for and do not count (the loop leaves them out)
    size_limits: Mapping[Target, int] = field(
        default_factory=dict
    )  # of targets of which larger pods do not come: the millicores that may be planned
    shared_causes: frozenset[Cause] = frozenset()  # causes that affect other services as well
    tried_elsewhere: frozenset[Cause] = frozenset()  # causes for which another service probes
    moved_at_s: float = -math.inf  # when the rollout last made progress (remembered by the loop)
    surge_loan: SurgeLoan | None = None  # None: within the budget (remembered by the loop)
    quotas: Mapping[str, Resources] = field(
        default_factory=dict
    )  # by name, what each lets these pods hold in all; none where none is known
    sent_weights: Mapping[str, int] | None = None  # None: unknown
    may_obey: frozenset[str] = frozenset()  # pods that the router may begin to send to
    in_between: tuple[
        Mapping[str, int], ...
    ] = ()  # weights, each of which may be in force or come into force

    def of(self, target: Target) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.target == target)
