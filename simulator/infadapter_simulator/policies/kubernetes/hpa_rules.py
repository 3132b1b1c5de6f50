"""
The Horizontal Pod Autoscaler's arithmetic: autoscaling/v2 with `behavior` absent.

As in Kubernetes 1.36.3, pkg/controller/podautoscaler: replica_calculator.go (groupPods,
calcPlainMetricReplicas), horizontal.go (stabilizeRecommendation, calculateScaleUpLimit).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

SYNC_S = 15.0
TOLERANCE = 0.1
STABILISATION_S = 300.0  # --horizontal-pod-autoscaler-downscale-stabilization
CPU_INITIALISATION_S = 300.0  # --horizontal-pod-autoscaler-cpu-initialization-period


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A pod's usage as shown by metrics-server."""

    millicores: int
    window_s: float
    at_s: float  # the window's end


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """The HPA's view of a pod that is not terminating."""

    pending: bool  # its container does not run yet
    request_millicores: int
    started_at_s: float
    ready: bool
    ready_since_s: float  # the last transition; meaningless if it was never Ready
    was_ready: bool
    usage: Usage | None

    def is_unready(self, now_s: float) -> bool:
        """Whether its usage is ignored because it is starting."""
        if self.pending or self.usage is None:
            return self.pending
        if now_s - self.started_at_s >= CPU_INITIALISATION_S:
            return not self.ready and not self.was_ready
        return not self.ready or self.usage.at_s < self.ready_since_s + self.usage.window_s


def is_within(ratio: float) -> bool:
    """Whether the ratio is within the tolerance, both ends included."""
    return 1 - TOLERANCE <= ratio <= 1 + TOLERANCE


def cpu_ratio(used: Sequence[tuple[float, int]], target_percent: int) -> float:
    """
    Return usage over request, each in millicores, relative to the target; the percentage is
    truncated first.
    """
    usage, request = sum(one for one, _ in used), sum(one for _, one in used)
    return math.floor(100 * usage / request) / target_percent


def cpu_proposal(
    pods: Sequence[PodSeen], target_percent: int, current: int, now_s: float
) -> int | None:
    """Return the number of pods for this utilisation; None if no usage is known."""
    unready = [pod for pod in pods if pod.is_unready(now_s)]
    missing = [pod for pod in pods if pod.usage is None and not pod.pending]
    used = [
        (float(pod.usage.millicores), pod.request_millicores)
        for pod in pods
        if pod.usage is not None and not pod.is_unready(now_s)
    ]
    if not used:
        return None
    ratio = cpu_ratio(used, target_percent)
    idle = unready if ratio > 1 else []
    if not idle and not missing:
        return current if is_within(ratio) else math.ceil(ratio * len(used))
    again = used + _assumed(missing, idle, ratio, target_percent)
    return _damped(again, ratio, target_percent, current)


def _assumed(
    missing: Sequence[PodSeen], idle: Sequence[PodSeen], ratio: float, target_percent: int
) -> list[tuple[float, int]]:
    """
    Return assumed usages against the direction of scaling: none when scaling up, the full request
    when scaling down.
    """
    nothing = [(0.0, pod.request_millicores) for pod in idle]
    if ratio == 1:
        return nothing
    share = max(100, target_percent) / 100 if ratio < 1 else 0.0
    return nothing + [(share * pod.request_millicores, pod.request_millicores) for pod in missing]


def _damped(
    used: Sequence[tuple[float, int]], ratio: float, target_percent: int, current: int
) -> int:
    """Return the proposal with all pods counted; the current number if the direction reverses."""
    again = cpu_ratio(used, target_percent)
    pods = math.ceil(again * len(used))
    turned = ratio < 1 < again or again < 1 < ratio
    backwards = (again < 1 and pods > current) or (again > 1 and pods < current)
    return current if is_within(again) or turned or backwards else pods


def average_value_proposal(total: float, per_pod: float, pods: int) -> int:
    """
    Return the proposal for an external metric with AverageValue: all created pods count, Ready or
    not.
    """
    return pods if pods and is_within(total / (per_pod * pods)) else math.ceil(total / per_pod)


@dataclass(slots=True)
class Stabiliser:
    """Remembers raw proposals, and returns the highest of the last five minutes."""

    proposals: list[tuple[float, int]] = field(default_factory=list)

    def pods(self, now_s: float, current: int, proposal: int, most: int) -> int:
        if not self.proposals:
            self.proposals.append((now_s, current))
        self.proposals.append((now_s, proposal))
        self.proposals = [one for one in self.proposals if one[0] >= now_s - STABILISATION_S - 1e-6]
        highest = max(pods for _, pods in self.proposals)
        return min(max(highest, 1), most, max(2 * current, 4))
