"""
What counts of what is observed, and what may be planned of it.

Pods of lost nodes serve nothing and hold nothing that another could not have. The one pod of a
target in trouble is waited for, not planned with: its platform tries it again by itself, and to
delete it would only begin anew.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from infadapter_operator.observed import STUCK, Observed, Pod
from infadapter_operator.planning.blocking import Blocks, failing, shared
from infadapter_operator.planning.capacity import fits, largest, plus
from infadapter_operator.progress import Block
from infadapter_operator.service import Service
from infadapter_solver.problem import CPU, Amounts, Plan, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """All that is observed, what counts of it, and how many pods of a target were left out."""

    everything: Observed
    counted: Observed
    absent: Mapping[Target, int]


def present(
    service: Service, observed: Observed, blocks: Blocks, plan: Plan | None, now_s: float
) -> Present:
    """`blocks` are those of this look, `plan` is that of the last."""
    waiting = _waiting(service, observed, blocks, plan, now_s)
    lost = {pod.name for pod in observed.pods if pod.is_lost and not pod.leaving}
    left_out = lost | set(waiting.values())
    gone = Counter(pod.target for pod in observed.pods if pod.name in left_out)
    gone.update(_uncreated(observed, blocks))
    absent = {t: _not_counted(observed, t, gone[t], left_out) for t in gone}
    desired = {t: n - absent.get(t, 0) for t, n in observed.desired_pods.items()}
    aside = [pod for pod in observed.pods if pod.name in waiting.values()]
    there = replace(
        observed,
        aside=_held(aside),
        pods=tuple(pod for pod in observed.pods if pod.name not in left_out),
        desired_pods=desired,
    )
    failed = {pod.name for pod in failing(service, observed, now_s)}
    counted = replace(
        there,
        pod_limits=_pod_limits(service, blocks, there, failed, frozenset(gone), now_s),
        size_limits=_size_limits(blocks, there, now_s),
    )
    return Present(everything=observed, counted=counted, absent=absent)


def _not_counted(observed: Observed, target: Target, gone: int, left_out: Collection[str]) -> int:
    """Of the pods that were asked for: the pod more of a rolling change was not."""
    asked = observed.desired_pods.get(target, 0)
    own = observed.of(target)
    counted = sum(not pod.leaving and pod.name not in left_out for pod in own)
    return asked - max(min(asked, counted), asked - gone)


def _waiting(
    service: Service, observed: Observed, blocks: Blocks, plan: Plan | None, now_s: float
) -> Mapping[Target, str]:
    """
    By target, the oldest pod that fails. It is waited for at rest, where it takes room from nobody:
    the budget holds all that is there, and the plan with it.
    """
    failed = [pod for pod in failing(service, observed, now_s) if pod.target in blocks]
    waiting = {pod.target: pod for pod in reversed(failed)}
    planned = [group.resources for group in plan.groups] if plan else []
    beside: Amounts = {}
    for amounts in (*planned, *(pod.wanted for pod in waiting.values())):
        beside = plus(beside, amounts)
    held = _held([pod for pod in observed.pods if not pod.is_lost])
    if not (fits(held, service.budget) and fits(beside, service.budget)):
        return {}
    return {target: pod.name for target, pod in waiting.items()}


def _uncreated(observed: Observed, blocks: Blocks) -> Mapping[Target, int]:
    """One pod of each target whose pods are refused: who makes them tries that one again."""
    live = Counter(pod.target for pod in observed.pods if not pod.leaving)
    return {
        target: 1
        for target in observed.refusals
        if target in blocks and observed.desired_pods.get(target, 0) > live[target]
    }


def _held(pods: list[Pod]) -> Amounts:
    total: Amounts = {}
    for pod in pods:
        total = plus(total, largest(pod.resources, pod.wanted))
    return total


def _pod_limits(
    service: Service,
    blocks: Blocks,
    there: Observed,
    failed: set[str],
    waiting: frozenset[Target],
    now_s: float,
) -> dict[Target, int]:
    """
    How many pods of a target may be planned: those that are Ready, or start without trouble, and
    one that is tried again when its time has come, none is waited for and nothing else starts: what
    starts would be given up for what may not come.
    """
    left = failed.union(*(_too_many(block, there) for block in blocks.values()))
    live = [pod for pod in there.pods if not (pod.leaving or pod.name in left)]
    ready = Counter(p.target for p in live if p.ready)
    pods = Counter(p.target for p in live)
    for target in there.rolling:  # its pod more was not asked for
        pods[target] = min(pods[target], max(ready[target], there.desired_pods.get(target, 0)))
    whole = [b for b in blocks.values() if not b.come and not _is_of_size(b, there)]
    starting = any(not pod.ready for pod in live)
    limits = {
        b.target: pods[b.target]
        if now_s < b.until_s or b.target in waiting or starting
        else max(pods[b.target], ready[b.target] + 1)
        for b in whole
    }
    together = shared(whole, service, there)
    if not together:
        return limits
    limits |= {target: pods[target] for target in targets_of(service)}
    waits = starting or any(
        b.target in waiting or b.cause in there.tried_elsewhere for b in together
    )
    if not waits and now_s >= together[0].until_s:
        target = _whose_turn(service, blocks, now_s - together[0].until_s)
        limits[target] = ready[target] + 1
    return limits


def _whose_turn(service: Service, blocks: Blocks, since_s: float) -> Target:
    """
    The target to be tried for all that fail for one cause; the next one where it was not planned.
    """
    attempts = {target: blocks[target].attempts for target in blocks}
    targets = sorted(targets_of(service), key=lambda target: (attempts.get(target, 0), target))
    return targets[int(since_s // service.patience.retry_first_s) % len(targets)]


def _too_many(block: Block, there: Observed) -> frozenset[str]:
    """Pods that can't grow, and that are no reason to shrink the others."""
    if not _are_larger_ones_more(block, there):
        return frozenset()
    small = (pod for pod in there.of(block.target) if not _is_larger(pod, block))
    return frozenset(pod.name for pod in small if pod.resize in STUCK)


def _are_larger_ones_more(block: Block, there: Observed) -> bool:
    """Whether those that grew have more CPU than all would at the size of those that can't."""
    if block.grown_millicores is None:
        return False
    pods = [pod for pod in there.of(block.target) if not pod.leaving]
    larger = sum(p.resources.get(CPU, 0) for p in pods if p.ready and _is_larger(p, block))
    return larger > 0 and larger >= len(pods) * block.grown_millicores


def _is_larger(pod: Pod, block: Block) -> bool:
    return pod.resources.get(CPU, 0) > (block.grown_millicores or 0)


def _is_of_size(block: Block, there: Observed) -> bool:
    """Whether another size of it may come; not where pods of the size that does not are Ready."""
    return bool(_size_caps(block, there)) and not _is_too_large(block, there)


def _is_too_large(block: Block, there: Observed) -> bool:
    """What is Ready, for a new pod of its size to find a node."""
    fitting = block.fitting_millicores
    return fitting is not None and _largest(there, block.target) > fitting


def _largest(there: Observed, target: Target) -> int:
    return max((p.resources.get(CPU, 0) for p in there.of(target) if p.ready), default=0)


def _size_caps(block: Block, there: Observed) -> list[int]:
    """What pods of it may have at most."""
    grown = None if _are_larger_ones_more(block, there) else block.grown_millicores
    fitting = None if _is_too_large(block, there) else block.fitting_millicores
    return [size for size in (grown, fitting) if size is not None]


def _size_limits(blocks: Blocks, there: Observed, now_s: float) -> dict[Target, int]:
    """The largest size in millicores that may be planned, of targets that have one."""
    active = (b for b in blocks.values() if now_s < b.until_s and not b.come)
    caps = {b.target: _size_caps(b, there) for b in active}
    return {target: min(sizes) for target, sizes in caps.items() if sizes}


def targets_of(service: Service) -> set[Target]:
    return {Target(v.name, a.kind) for v in service.variants for a in v.allocations}
