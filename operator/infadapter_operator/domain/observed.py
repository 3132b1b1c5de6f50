"""What runs, as a platform reports it: pods with what is in force, and the weights in force."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from infadapter_solver.problem import PodSize, Resources, Target


class Resize(StrEnum):
    NONE = "None"  # what is in force is what was asked for
    IN_PROGRESS = "InProgress"
    DEFERRED = "Deferred"  # the node has no room now; it may come
    FAILING = "Failing"  # the kubelet tried, and says Error; it tries again
    REFUSED = "Refused"  # infeasible on this node, or forbidden by a quota


STUCK = frozenset({Resize.DEFERRED, Resize.FAILING, Resize.REFUSED})
"""Of these nobody knows whether they end."""


class Cause(StrEnum):
    """Why a pod does not come, or has gone without being asked to."""

    NO_NODE = "NoNode"  # no node has room for it
    REFUSED = "PodsRefused"  # the API server makes none: a quota, a policy, a webhook
    IMAGE = "ImageUnavailable"  # it can't be pulled
    CONFIG = "ConfigInvalid"  # a Secret, a ConfigMap, a volume is missing; the command can't be run
    CRASH = "CrashLoop"  # its container ends again and again
    NOT_READY = "NotReady"  # it runs, and never says that it is Ready
    RESIZE = "ResizeRefused"  # its node does not let it grow
    NODE_LOST = "NodeLost"  # its node does not answer: nobody knows whether it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the platform says of a pod that does not come; the message is its own, shortened."""

    cause: Cause
    message: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod (or local process) of a target."""

    name: str
    target: Target
    size: PodSize  # in force, not merely asked for
    wanted: PodSize  # asked for; differs from `size` while a resize is under way
    ready: bool
    created_at_s: float
    address: str = ""  # host:port, empty until it has one
    leaving: bool = False  # asked to stop; it only finishes what it has
    unschedulable_since_s: float | None = None
    resize: Resize = Resize.NONE
    resize_since_s: float | None = None
    trouble: Trouble | None = None  # as the platform tells it; None: nothing is known to be wrong
    outdated: bool = False  # of an earlier template: its trouble says nothing of new pods; where
    # its target does not roll, the change has yet to be begun
    unready_since_s: float | None = None  # None: not told, and taken to be since it was created

    @property
    def resources(self) -> Resources:
        return self.size.resources

    @property
    def is_lost(self) -> bool:
        """It serves nothing and holds nothing that another could not have."""
        return self.trouble is not None and self.trouble.cause is Cause.NODE_LOST


class SurgeLoan(NamedTuple):
    """More than the budget is held, or was at the look before this one."""

    since_s: float
    is_returned: bool = False  # all is within it at this look

    @property
    def held(self) -> "SurgeLoan":
        return SurgeLoan(self.since_s)

    @property
    def returned(self) -> "SurgeLoan":
        return SurgeLoan(self.since_s, is_returned=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """
    What a router does and may do, by pod name. Only the router's own protocol can prove which
    weights of the past it may yet take up, so it is the router that says.
    """

    obeys: Mapping[str, int] = field(default_factory=dict)  # confirmed; no zeros
    sent: Mapping[str, int] | None = None  # last; None: nothing that is known of
    may_obey: frozenset[str] = frozenset()  # named by weights that may yet come into force
    in_between: tuple[Mapping[str, int], ...] = ()  # each of those, and of what `obeys` is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """
    What a platform and its router say. `weights` are those that the router has confirmed, by pod
    name, not those sent last: a pod is drained when no router sends to it, nor may begin to.
    """

    pods: tuple[Pod, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    desired_pods: Mapping[Target, int] = field(default_factory=dict)  # Deployment.spec.replicas
    untouchable: frozenset[Target] = frozenset()  # another controller writes there (Conflict)
    templates: Mapping[Target, PodSize] = field(
        default_factory=dict
    )  # at what size further pods of a target that has pods come up; as planned where absent
    rolling: frozenset[Target] = frozenset()  # a change of all its pods is under way
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
    aside: Resources = field(
        default_factory=dict
    )  # held by pods that are waited for and do not count (the loop leaves them out)
    size_limits: Mapping[Target, int] = field(
        default_factory=dict
    )  # of targets of which larger pods do not come: the millicores that may be planned
    shared_causes: frozenset[Cause] = frozenset()  # that keep pods of other services too
    tried_elsewhere: frozenset[Cause] = frozenset()  # those for which another service tries a pod
    moved_at_s: float = -math.inf  # when the rollout last came further (the loop remembers)
    surge_loan: SurgeLoan | None = None  # None: no more than the budget (the loop remembers)
    quotas: Mapping[str, Resources] = field(
        default_factory=dict
    )  # by name, what each lets these pods hold in all; none where none is known
    sent_weights: Mapping[str, int] | None = None  # None: nothing was sent that is known of
    may_obey: frozenset[str] = frozenset()  # pods that the router may begin to send to
    in_between: tuple[Mapping[str, int], ...] = ()  # weights, each of which may be or come in force

    def of(self, target: Target) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.target == target)
