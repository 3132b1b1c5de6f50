"""
Why no further pod of a target comes: the patience with its pods has ended, or the platform refuses
to create them.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import STUCK, Cause, Observed, Pod, Resize, Trouble
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import fits, load_time_s, measured_millicores
from infadapter_solver.problem import CPU, Target

Blocks = Mapping[Target, Block]

OF_SIZE = (Cause.NO_NODE, Cause.RESIZE)
"""Causes that may not apply to another size of the same target."""

SURGE_SLACK_S = 1.0
"""
Seconds beyond a start for which a probe pod may hold more than the budget. With its termination
that is as long as the pods of a plan may.
"""

LATE_START_RATIO = 2.0
"""Factor on the expected start for a pod with no fault other than taking longer."""

SMALLER_SIZE_RATIO = 0.8
"""Factor from a size that no node has room for to the next size that is tried."""


def gives_up_at_s(service: Service, observed: Observed, pod: Pod) -> float:
    """
    Return when the patience with a pod that is not Ready ends. Every progress renews the patience.
    """
    began_s = _unready_since_s(pod)
    if pod.unschedulable_since_s is not None:
        return max(pod.unschedulable_since_s, observed.moved_at_s) + service.patience.start_s
    if pod.trouble is not None:
        return min(began_s, pod.trouble.since_s) + service.patience.start_s
    load_s = load_time_s(service, pod.target)
    return max(began_s, observed.moved_at_s) + service.patience.ready_within_s(load_s)


def _unready_since_s(pod: Pod) -> float:
    return pod.created_at_s if pod.unready_since_s is None else pod.unready_since_s


@dataclass(frozen=True, slots=True)
class Failure:
    """The failure of a target, with the sizes that may still work (as in `Block`)."""

    trouble: Trouble
    fitting_millicores: int | None = None
    grown_millicores: int | None = None

    def after(self, before: Block | None) -> "Failure":
        """
        Return the failure with the size limits learnt before.

        If the knowledge that nothing grows were dropped when it turns out that no new pod fits, the
        two would be tried alternately for ever.
        """
        if before is None or before.has_recovered:
            return self
        return replace(
            self,
            fitting_millicores=_least(before.fitting_millicores, self.fitting_millicores),
            grown_millicores=_least(before.grown_millicores, self.grown_millicores),
        )


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)


def failure_of(
    service: Service,
    observed: Observed,
    before: Blocks,
    target: Target,
    now_s: float,
    awaited: Collection[str] = frozenset(),
) -> Failure | None:
    """
    Return why no further pod of this target comes, or None while there is no trouble or still
    patience.
    """
    known = _known_not_to_fit(observed, before, target, awaited)
    given_up = [
        pod
        for pod in failing(service, observed, before, now_s)
        if pod.target == target and pod.name not in known
    ]
    kept_small = [
        pod
        for pod in observed.of(target)
        if _is_stuck(service, observed, pod, now_s) or _has_nowhere_to_grow(before, pod)
    ]
    if target in observed.refusals:
        trouble = observed.refusals[target]
    elif given_up:
        trouble = _told(given_up[0])
    elif kept_small:
        message = "its node has no room for it to grow, or refuses"
        trouble = Trouble(cause=Cause.RESIZE, message=message, since_s=now_s)
    else:
        return None
    return Failure(
        trouble,
        fitting_millicores=_size_that_may_fit(given_up[0]) if given_up else None,
        grown_millicores=max(
            (measured_millicores(service, pod) for pod in kept_small), default=None
        ),
    )


def _known_not_to_fit(
    observed: Observed, before: Blocks, target: Target, awaited: Collection[str]
) -> frozenset[str]:
    """
    Return the unschedulable pods of a target that tell nothing new while one of them is awaited.

    If they counted as new failures, no pod of the target could grow for as long as that one waits.
    """
    block = before.get(target)
    waits = [pod for pod in observed.of(target) if pod.unschedulable_since_s is not None]
    if block is None or not any(pod.name in awaited for pod in waits):
        return frozenset()
    if block.fitting_millicores is None and block.cause is not Cause.NO_NODE:
        return frozenset()  # the awaited pod has only just become unschedulable
    least = block.fitting_millicores or 0
    return frozenset(pod.name for pod in waits if pod.wanted.cpu_millicores > least)


def _size_that_may_fit(pod: Pod) -> int | None:
    """
    Return the next smaller CPU size to try. How much room a node has is not reported, so sizes are
    tried downwards; a device has only one size.
    """
    waits = pod.unschedulable_since_s is not None and pod.target.kind == CPU
    return int(SMALLER_SIZE_RATIO * pod.wanted.cpu_millicores) if waits else None


def _is_stuck(service: Service, observed: Observed, pod: Pod, now_s: float) -> bool:
    """
    Whether the resize has been deferred or refused for longer than the patience, without other
    progress.
    """
    if pod.resize not in STUCK or pod.leaving:
        return False
    since_s = -math.inf if pod.resize_since_s is None else pod.resize_since_s
    return now_s - max(since_s, observed.moved_at_s) >= service.patience.start_s


def _has_nowhere_to_grow(blocks: Blocks, pod: Pod) -> bool:
    """
    Whether the node refused the pod's size for good and no other node has room for a smaller one.

    There is no patience with it, because meanwhile the pod would be replaced by one that does not
    come.
    """
    size = int(SMALLER_SIZE_RATIO * pod.wanted.cpu_millicores)
    found_none = (b for b in blocks.values() if b.cause is Cause.NO_NODE and not b.has_recovered)
    refused = pod.resize is Resize.REFUSED and not pod.leaving
    return refused and any(
        b.fitting_millicores is not None and b.fitting_millicores <= size for b in found_none
    )


def failing(service: Service, observed: Observed, blocks: Blocks, now_s: float) -> list[Pod]:
    """
    Return the pods that are not Ready and with which the patience has ended, oldest first.

    Pods whose patience ended when their block was made are included, and unschedulable pods that
    are no smaller than another failing unschedulable pod.
    """
    able = [
        pod
        for pod in observed.pods
        if not (pod.ready or pod.leaving or pod.is_lost or pod.outdated)
        and pod.target not in observed.untouchable
    ]
    found = [
        pod
        for pod in able
        if now_s >= gives_up_at_s(service, observed, pod)
        or _was_given_up(blocks, observed, pod)
        or _holds_surge_for_too_long(service, observed, blocks, pod, now_s)
    ]
    found += [pod for pod in able if pod not in found and _waits_like_one_of(found, pod)]
    return sorted(found, key=lambda pod: (pod.created_at_s, pod.name))


def _waits_like_one_of(given_up: Collection[Pod], pod: Pod) -> bool:
    """Whether the pod is unschedulable and no smaller than a pod that has been given up."""
    return pod.unschedulable_since_s is not None and any(
        other.target == pod.target
        and other.unschedulable_since_s is not None
        and fits(other.wanted.resources, pod.wanted.resources)
        for other in given_up
    )


def _was_given_up(blocks: Blocks, observed: Observed, pod: Pod) -> bool:
    """
    Whether the block of the target was made for this pod, which never became Ready or found no
    node.

    A new plan is no progress of the pod. With renewed patience it would be removed and retried, or
    be planned with for as long again.
    """
    block = blocks.get(pod.target)
    waits = pod.unschedulable_since_s is not None
    causes = (Cause.NOT_READY, Cause.NO_NODE) if waits else (Cause.NOT_READY,)
    if block is None or block.has_recovered or block.cause not in causes:
        return False
    unready = (p.created_at_s for p in observed.of(pod.target) if not (p.ready or p.leaving))
    return pod.created_at_s == min(unready) <= block.created_s


def _holds_surge_for_too_long(
    service: Service, observed: Observed, blocks: Blocks, pod: Pod, now_s: float
) -> bool:
    """
    Whether a probe pod has held surge for longer than a start takes.

    Surge is for pods that start. The pod counts as one whose patience has ended; otherwise it would
    be retried at once.
    """
    block = blocks.get(pod.target)
    if block is None or block.has_recovered or block.cause in OF_SIZE:
        return False
    is_tried = pod.created_at_s >= block.until_s
    was_tried = block.attempts > 1 and now_s < block.until_s and pod.created_at_s <= block.created_s
    start_s = START_S + load_time_s(service, pod.target)
    may_s = start_s if pod.trouble else LATE_START_RATIO * start_s
    loan = observed.surge_loan
    if loan is None or loan.is_returned or not (is_tried or was_tried):
        return False
    return now_s >= max(pod.created_at_s + SURGE_SLACK_S, loan.since_s) + may_s


def _told(pod: Pod) -> Trouble:
    began_s = _unready_since_s(pod)
    if pod.trouble is not None:
        return pod.trouble
    if pod.unschedulable_since_s is not None:
        since_s = pod.unschedulable_since_s
        return Trouble(cause=Cause.NO_NODE, message="no node has room for it", since_s=since_s)
    message = "it runs but does not become Ready"
    return Trouble(cause=Cause.NOT_READY, message=message, since_s=began_s)
