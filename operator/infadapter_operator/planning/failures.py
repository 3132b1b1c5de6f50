"""
Why no further pod of a target comes: patience with those that are there has ended, or the platform
makes none.
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
"""Causes that another size of the same target may not have."""

SURGE_SLACK_S = 1.0
"""
Beyond a start, how long a pod that is tried again may hold more than the budget: with what it takes
to leave, as long as pods of a plan.
"""

LATE_START_RATIO = 2.0
"""Of a start with which nothing is wrong but that it takes longer than told."""

SMALLER_SIZE_RATIO = 0.8
"""Of a size that no node has room for: what is tried next."""


def gives_up_at_s(service: Service, observed: Observed, pod: Pod) -> float:
    """When the patience with a pod that is not Ready ends; it begins anew with every progress."""
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
    """Of a target: what is wrong, and with what size, where another might do (as in a Block)."""

    trouble: Trouble
    fitting_millicores: int | None = None
    grown_millicores: int | None = None

    def after(self, before: Block | None) -> "Failure":
        """
        With what was learnt of sizes before: if that nothing grows were forgotten when it is learnt
        that nothing new fits, one and the other would be tried for ever.
        """
        if before is None or before.come:
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
    """Why no further pod of this target comes; None while there is patience, or no trouble."""
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
    While one is `awaited` that has found no node, neither it nor what is no smaller is a new
    failure: for as long as it waits, nothing else of its target would be let grow.
    """
    block = before.get(target)
    waits = [pod for pod in observed.of(target) if pod.unschedulable_since_s is not None]
    if block is None or not any(pod.name in awaited for pod in waits):
        return frozenset()
    if block.fitting_millicores is None and block.cause is not Cause.NO_NODE:
        return frozenset()  # that one has only begun to wait
    least = block.fitting_millicores or 0
    return frozenset(pod.name for pod in waits if pod.wanted.cpu_millicores > least)


def _size_that_may_fit(pod: Pod) -> int | None:
    """What a node has left is not told, so sizes are tried downwards; of devices there is one."""
    waits = pod.unschedulable_since_s is not None and pod.target.kind == CPU
    return int(SMALLER_SIZE_RATIO * pod.wanted.cpu_millicores) if waits else None


def _is_stuck(service: Service, observed: Observed, pod: Pod, now_s: float) -> bool:
    """A resize that waits, or was refused, while nothing else has come further either."""
    if pod.resize not in STUCK or pod.leaving:
        return False
    since_s = -math.inf if pod.resize_since_s is None else pod.resize_since_s
    return now_s - max(since_s, observed.moved_at_s) >= service.patience.start_s


def _has_nowhere_to_grow(blocks: Blocks, pod: Pod) -> bool:
    """
    Its node has refused it for good, and what was no larger has found no other: nobody waits, as
    meanwhile the pod would be given up for one that does not come.
    """
    size = int(SMALLER_SIZE_RATIO * pod.wanted.cpu_millicores)
    found_none = (b for b in blocks.values() if b.cause is Cause.NO_NODE and not b.come)
    refused = pod.resize is Resize.REFUSED and not pod.leaving
    return refused and any(
        b.fitting_millicores is not None and b.fitting_millicores <= size for b in found_none
    )


def failing(service: Service, observed: Observed, blocks: Blocks, now_s: float) -> list[Pod]:
    """
    Pods that are not Ready and with which patience has ended, now or when the block was made, and
    with one that finds no node those that are no smaller and find none; the oldest first.
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
    """A node that has room for it has room for that one."""
    return pod.unschedulable_since_s is not None and any(
        other.target == pod.target
        and other.unschedulable_since_s is not None
        and fits(other.wanted.resources, pod.wanted.resources)
        for other in given_up
    )


def _was_given_up(blocks: Blocks, observed: Observed, pod: Pod) -> bool:
    """
    The pod that a block was made for, since it runs and does not become Ready, or finds no node.
    That another plan was made is no progress of it: with patience anew it would be taken down, and
    tried again, or be planned with again for as long.
    """
    block = blocks.get(pod.target)
    waits = pod.unschedulable_since_s is not None
    causes = (Cause.NOT_READY, Cause.NO_NODE) if waits else (Cause.NOT_READY,)
    if block is None or block.come or block.cause not in causes:
        return False
    unready = (p.created_at_s for p in observed.of(pod.target) if not (p.ready or p.leaving))
    return pod.created_at_s == min(unready) <= block.created_s


def _holds_surge_for_too_long(
    service: Service, observed: Observed, blocks: Blocks, pod: Pod, now_s: float
) -> bool:
    """
    One that is tried again: surge is for what starts, for as long as a start takes. It is left as
    one whose patience has ended, or it would be tried again at once.
    """
    block = blocks.get(pod.target)
    if block is None or block.come or block.cause in OF_SIZE:
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
    message = "it runs and does not become Ready"
    return Trouble(cause=Cause.NOT_READY, message=message, since_s=began_s)
