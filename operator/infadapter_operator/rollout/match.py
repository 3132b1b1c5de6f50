"""
Match running pods with the plan: which pods stay and at what size, and which are to be removed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from infadapter_operator.domain.observed import STUCK, Observed, Pod, Resize
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import (
    accuracy_of,
    as_allocation,
    resizable,
    same_amounts,
    same_size,
)
from infadapter_operator.rollout.traffic_split import Candidate
from infadapter_solver.problem import Allocation, Plan, Target

RESIZE_PATIENCE_S = 300.0
"""
Seconds for which a resize may wait for room on its node before the pod is replaced instead, as long
as enough Ready capacity remains. When capacity is short, the service's `Patience.resize_s` applies.
"""

WAITS = (Resize.DEFERRED, Resize.FAILING)
"""Resizes that are neither done nor refused for good: they may still succeed."""


@dataclass(frozen=True, kw_only=True)
class PodState:
    """A pod that is not terminating, with the size that the plan gives it."""

    actual: Pod
    desired: Allocation | None  # None: to be removed
    serving: Allocation  # size in force, or the smaller one that is requested
    accuracy: float  # of its most accurate operating point
    touchable: bool = True
    is_stale: bool = False  # outdated template, and no rolling update yet
    resize_patience_s: float = RESIZE_PATIENCE_S

    @property
    def is_surplus(self) -> bool:
        return self.desired is None

    @property
    def capacity_rps(self) -> float:
        return self.serving.capacity_rps

    @property
    def desired_rps(self) -> float:
        return self.desired.capacity_rps if self.desired else 0.0

    @cached_property
    def as_candidate(self) -> Candidate:
        """
        The pod as a candidate for traffic at its current size. Cached, since most cycles ask for it
        again.
        """
        segments = self.serving.segments(self.accuracy)
        return Candidate(pod=self.actual.name, target=self.actual.target, segments=segments)

    @cached_property
    def is_level(self) -> bool:
        """Whether the pod has its planned size and the current template."""
        return self.desired is not None and is_at(self.actual, self.desired) and not self.is_stale

    @property
    def is_requested(self) -> bool:
        """Whether the planned size was requested, so that it is in force or pending."""
        return self.desired is not None and same_amounts(
            self.actual.wanted.resources, self.desired.resources
        )

    @property
    def is_refused(self) -> bool:
        """Whether the node refused for good the planned size or a smaller one."""
        asked = self.actual.wanted.cpu_millicores
        refused = self.actual.resize is Resize.REFUSED
        return refused and self.desired is not None and asked <= self.desired.cpu_millicores

    @property
    def can_resize(self) -> bool:
        return (
            self.desired is not None
            and self.touchable
            and resizable(self.actual.size, self.desired.size)
        )

    @property
    def is_changing(self) -> bool:
        """Whether a requested resize is pending and neither deferred nor failed."""
        under_way = self.actual.resize in (Resize.NONE, Resize.IN_PROGRESS)
        return under_way and not same_amounts(
            self.actual.wanted.resources, self.actual.size.resources
        )

    @property
    def shrinks(self) -> bool:
        return (
            self.desired is not None
            and self.actual.size.cpu_millicores > self.desired.cpu_millicores
        )

    @property
    def is_to_exceed_desired(self) -> bool:
        """
        Whether the pod was asked to grow beyond its planned size and may still do so.

        A refused request for more counts as well while the pod is at its planned size: taking the
        request back would delete the refusal, and the same size would be requested again.
        """
        least = self.desired.cpu_millicores if self.desired else 0
        refused = self.actual.resize is Resize.REFUSED and not self.is_level
        return self.actual.wanted.cpu_millicores > least and not refused

    def is_given_up(self, now_s: float) -> bool:
        """Whether the requested size will not come, be it the planned size or a smaller one."""
        failed = resize_failed(self.actual, now_s, self.resize_patience_s)
        return failed or self.must_be_replaced(now_s)

    def must_be_replaced(self, now_s: float) -> bool:
        """Whether the planned size or template cannot be reached in place, or not in time."""
        if self.desired is None or self.is_level or not self.touchable:
            return False
        if self.is_stale or not resizable(self.actual.size, self.desired.size):
            return True
        failed = self.is_requested and resize_failed(self.actual, now_s, self.resize_patience_s)
        return failed or self.is_refused


def match_pods(
    service: Service, plan: Plan, observed: Observed, *, is_short: bool = False
) -> tuple[PodState, ...]:
    """
    Return all pods that are not terminating, each with its planned size.

    `is_short` means that Ready capacity is below the demand; then deferred resizes have less
    patience.

    Pods beyond the requested replica count are not surplus: during a rolling update the newest pod
    is an extra one that the update removes itself. They do not influence which of the other pods
    stay. For a target that is no longer planned, removing such a pod would only make the controller
    create another.

    The last result is cached, because most cycles ask the same question as the cycle before.
    """
    asked = (
        (service, plan.groups, observed.pods, observed.untouchable, observed.rolling, is_short),
        (dict(observed.desired_pods), dict(_in_force(observed))),
    )
    return _last.of(asked, lambda: _matched(service, plan, observed, is_short=is_short))


class _Last:
    """Cache of the last question and its answer, for one service at a time."""

    def __init__(self) -> None:
        self._last: tuple[object, tuple[PodState, ...]] = (None, ())

    def of(self, asked: object, find: Callable[[], tuple[PodState, ...]]) -> tuple[PodState, ...]:
        known, found = self._last
        if asked != known:
            found = find()
            self._last = asked, found
        return found


_last = _Last()


def _matched(
    service: Service, plan: Plan, observed: Observed, *, is_short: bool
) -> tuple[PodState, ...]:
    goals = {group.target: (group.allocation, group.pods) for group in plan.groups}
    patience_s = service.patience.resize_s if is_short else RESIZE_PATIENCE_S
    found: list[PodState] = []
    for target in sorted({pod.target for pod in observed.pods}):
        live = [pod for pod in observed.of(target) if not pod.leaving]
        allocation, pods = goals.get(target, (None, 0))
        if target in observed.untouchable:
            found += (_as_it_is(service, pod) for pod in live)
            continue
        asked = observed.desired_pods.get(target, len(live))
        by_age = sorted(live, key=lambda pod: pod.created_at_s)
        kept = _kept_first(by_age[:asked], allocation, observed)
        more = [pod for pod in by_age[asked:] if pod.ready or allocation]
        stay, go = [*kept[:pods], *more], kept[pods:]
        placed = [_placed(service, pod, allocation, patience_s) for pod in stay]
        is_stale = _is_stale(observed, target, live)
        found += [replace(one, is_stale=True) for one in placed] if is_stale else placed
        found += (_placed(service, pod, None, patience_s) for pod in go)
    return tuple(found)


def _is_stale(observed: Observed, target: Target, live: Sequence[Pod]) -> bool:
    """
    Whether all pods have an outdated template and are Ready, and no rolling update has begun.

    If a pod is not Ready, the new template may be what repairs it, so the update does not wait for
    room.
    """
    changed = all(pod.outdated and pod.ready for pod in live)
    return changed and target not in observed.rolling


def resize_failed(pod: Pod, now_s: float, patience_s: float) -> bool:
    if pod.resize in WAITS and pod.resize_since_s is not None:
        return now_s - pod.resize_since_s > patience_s
    return pod.resize is Resize.REFUSED


def is_settled(pod: Pod) -> bool:
    """Whether the requested size is in force."""
    return same_amounts(pod.wanted.resources, pod.size.resources)


def is_at(pod: Pod, allocation: Allocation) -> bool:
    return same_size(pod.size, allocation.size)


def of_target(pods: Sequence[PodState], target: Target) -> list[PodState]:
    return [one for one in pods if one.actual.target == target]


def _kept_first(pods: list[Pod], allocation: Allocation | None, observed: Observed) -> list[Pod]:
    """
    Sort pods by how much they are worth keeping: Ready, able to reach the planned size, carrying
    traffic, at the planned size, oldest.
    """

    def reluctance(pod: Pod) -> tuple[bool, bool, bool, bool, float, str]:
        level = allocation is not None and is_at(pod, allocation)
        weighted = _in_force(observed).get(pod.name, 0) > 0
        stays_small = (
            pod.resize in STUCK
            and allocation is not None
            and pod.size.cpu_millicores < allocation.cpu_millicores
        )
        return (not pod.ready, stays_small, not weighted, not level, pod.created_at_s, pod.name)

    return sorted(pods, key=reluctance)


def _in_force(observed: Observed) -> Mapping[str, int]:
    """
    Return the weights that are in force or will be soon. Superseded weights do not influence
    matching.
    """
    return observed.weights if observed.sent_weights is None else observed.sent_weights


def _placed(service: Service, pod: Pod, desired: Allocation | None, patience_s: float) -> PodState:
    sizes = (as_allocation(service, pod.target, size) for size in (pod.size, pod.wanted))
    return PodState(
        actual=pod,
        desired=desired,
        serving=min(sizes, key=lambda allocation: allocation.capacity_rps),
        accuracy=accuracy_of(service, pod.target),
        resize_patience_s=patience_s,
    )


def _as_it_is(service: Service, pod: Pod) -> PodState:
    """
    Return the state of a pod that another controller owns. It counts with its current capacity, and
    is neither resized nor removed.
    """
    in_force = as_allocation(service, pod.target, pod.size)
    return PodState(
        actual=pod,
        desired=in_force,
        serving=in_force,
        accuracy=accuracy_of(service, pod.target),
        touchable=False,
    )
