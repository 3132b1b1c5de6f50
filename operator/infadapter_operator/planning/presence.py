"""
Which of the observed pods count towards the plan.

Pods of lost nodes serve nothing and hold no budget. The one failing pod of a target is awaited, not
planned with: its platform retries it by itself, and deleting it would only start over.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from infadapter_operator.domain.observed import STUCK, Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import fits, held, plus, resizable
from infadapter_operator.planning.failures import OF_SIZE, Blocks, failing
from infadapter_operator.planning.limits import limits_of, may_grow_again, size_limits
from infadapter_operator.planning.probe import (
    has_room,
    planned_pods,
    room_beside,
    start_resources,
    started,
)
from infadapter_solver.problem import Plan, PodGroup, Resources, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """
    All observed pods, those that count, and the number left out by target; the targets that are
    retried beside the plan, and those that may be.
    """

    everything: Observed
    counted: Observed
    absent: Mapping[Target, int]
    awaited: frozenset[str] = frozenset()  # failing pods that are awaited and do not count
    due: tuple[Target, ...] = ()  # due for a retry, with room for a pod
    without_room: tuple[Target, ...] = ()  # due for a retry, without room
    room: Resources = field(default_factory=dict)  # for such a pod


def present(
    service: Service,
    observed: Observed,
    blocks: Blocks,
    plan: Plan | None,
    now_s: float,
    awaited: Collection[str] = frozenset(),
) -> Present:
    """
    Return what counts of `observed`. `blocks` are those of this cycle; `plan` and `awaited` those
    of the last.
    """
    if not (blocks or any(pod.is_lost for pod in observed.pods)):
        return Present(everything=observed, counted=observed, absent={})
    failed = {pod.name for pod in failing(service, observed, blocks, now_s)}
    again = {t for t, block in blocks.items() if now_s >= block.until_s and not block.has_recovered}
    tried = started(observed, plan, again, awaited, failed)
    kept = _with_room(service, observed, plan, tried)
    failed |= {pod.name for pod in tried[len(kept) :]}  # removed for lack of room
    uncreated = _uncreated(observed, blocks, plan, again)
    waiting = _waiting(service, observed, blocks, plan, now_s)
    waiting = {**waiting, **{pod.target: pod.name for pod in kept}}
    lost = {pod.name for pod in observed.pods if pod.is_lost and not pod.leaving}
    left_out = lost | set(waiting.values())
    absent = _absent(observed, left_out, uncreated)
    there = _without(observed, left_out, absent, waiting.values())
    planned = planned_pods(plan)
    known = may_grow_again(blocks, waiting, now_s)
    limits = limits_of(service, known, there, failed, frozenset(absent), planned, now_s)
    sizes = size_limits(service, known, there, waiting, now_s)
    counted = replace(there, pod_limits=limits.pods, size_limits=sizes)
    due = () if kept or again & uncreated.keys() else limits.due
    room = room_beside(service, observed, plan, left_out)
    fitting = tuple(t for t in due if has_room(service, observed, t, room))
    return Present(
        everything=observed,
        counted=counted,
        absent=absent,
        awaited=frozenset(waiting.values()),
        due=fitting,
        without_room=tuple(target for target in due if target not in fitting),
        room=room,
    )


def _absent(
    observed: Observed, left_out: Collection[str], uncreated: Mapping[Target, int]
) -> dict[Target, int]:
    """Return the number of pods left out by target, pods that were never created included."""
    gone = Counter(pod.target for pod in observed.pods if pod.name in left_out)
    gone.update(uncreated)
    return {target: _not_counted(observed, target, gone[target], left_out) for target in gone}


def _without(
    observed: Observed,
    left_out: Collection[str],
    absent: Mapping[Target, int],
    waiting: Collection[str],
) -> Observed:
    """
    Return the observation without the pods left out. Of those only awaited pods still hold room.
    """
    aside = [pod for pod in observed.pods if pod.name in waiting]
    return replace(
        observed,
        awaited_resources=held(aside),
        stalled=observed.rolling & {pod.target for pod in aside if not pod.outdated},
        pods=tuple(pod for pod in observed.pods if pod.name not in left_out),
        desired_pods={t: n - absent.get(t, 0) for t, n in observed.desired_pods.items()},
    )


def _with_room(
    service: Service, observed: Observed, plan: Plan | None, tried: Sequence[Pod]
) -> Sequence[Pod]:
    """Return the probe pods for which the plan leaves room; the newest is dropped first."""
    names = {pod.name for pod in tried}
    while tried:
        gone = names - {pod.name for pod in tried}
        there = replace(observed, pods=tuple(p for p in observed.pods if p.name not in gone))
        room = room_beside(service, there, plan, names - gone)
        if all(n >= 0 for n in room.values()):
            break
        tried = tried[:-1]
    return tried


def _not_counted(observed: Observed, target: Target, gone: int, left_out: Collection[str]) -> int:
    """
    Return how many of the requested pods are left out. The extra pod of a rolling update, the
    newest, was not requested.
    """
    asked = observed.desired_pods.get(target, 0)
    own = [pod for pod in observed.of(target) if not pod.leaving]
    more = sorted(own, key=lambda pod: pod.created_at_s)[asked:]
    return min(asked, gone - sum(pod.name in left_out for pod in more))


def _waiting(
    service: Service, observed: Observed, blocks: Blocks, plan: Plan | None, now_s: float
) -> Mapping[Target, str]:
    """
    Return the oldest failing pod by target, if it may be awaited.

    That is allowed while it takes room from nobody: the budget holds all existing pods and the
    plan, and the missing planned pods can start.
    """
    failed = [pod for pod in failing(service, observed, blocks, now_s) if pod.target in blocks]
    waiting = {pod.target: pod for pod in reversed(failed)}
    left = {target for target in waiting if blocks[target].cause not in OF_SIZE}
    beside = _planned(observed, plan, left)
    for pod in waiting.values():
        beside = plus(beside, pod.wanted.resources)
    there = held(pod for pod in observed.pods if not pod.is_lost)
    may = plus(service.budget, service.max_surge)
    starts = all(fits(plus(there, size), may) for size in _starting(observed, plan, left))
    if not (fits(there, service.budget) and fits(beside, service.budget) and starts):
        return {}
    return {target: pod.name for target, pod in waiting.items()}


def _planned(observed: Observed, plan: Plan | None, left: Collection[Target]) -> Resources:
    """
    Return what the plan holds without new pods of blocked targets, of which none will be planned.
    The failing pod would otherwise be counted twice.
    """
    live = _live(observed)
    total: Resources = {}
    for group in plan.groups if plan else ():
        pods = min(group.pods, live[group.target] - 1) if group.target in left else group.pods
        total = plus(total, group.allocation.resources, pods)
    return total


def _live(observed: Observed) -> Counter[Target]:
    return Counter(pod.target for pod in observed.pods if not (pod.leaving or pod.is_lost))


def _starting(observed: Observed, plan: Plan | None, left: Collection[Target]) -> list[Resources]:
    """
    Return what further pods hold for each target that still lacks planned pods or has to be rolled.
    Blocked targets start none. A rolling update holds an extra pod and one that still terminates.
    """
    starting: list[Resources] = []
    for group in plan.groups if plan else ():
        live = [pod for pod in observed.of(group.target) if not (pod.leaving or pod.is_lost)]
        rolls = any(_is_replaced(pod, group) for pod in live)
        if group.target not in left and (rolls or len(live) < group.pods):
            size = start_resources(observed, group.target, group.allocation)
            starting.append(plus({}, size, 2 if rolls else 1))
    return starting


def _is_replaced(pod: Pod, group: PodGroup) -> bool:
    return pod.resize in STUCK or not resizable(pod.size, group.allocation.size)


def _uncreated(
    observed: Observed, blocks: Blocks, plan: Plan | None, again: Collection[Target]
) -> Mapping[Target, int]:
    """
    Return one pod for each blocked target whose pods are refused, since the controller retries that
    one, and for each probe pod that was requested and does not exist yet.
    """
    planned = planned_pods(plan)
    live = Counter(pod.target for pod in observed.pods if not pod.leaving)
    asked = {target for target, pods in observed.desired_pods.items() if pods > live[target]}
    found = {target for target in observed.refusals if target in blocks}
    found |= {target for target in again if live[target] >= planned[target]}
    return {target: 1 for target in found & asked}
