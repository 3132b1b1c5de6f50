"""
How many pods of a target may be planned, and how large, while some of its pods fail to start.

Ready pods stay planned. A failing target is retried by one pod at a time, and targets that fail for
a common cause by one pod for all of them.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from infadapter_operator.domain.observed import STUCK, Observed, Pod
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import measured_millicores
from infadapter_operator.planning.failures import OF_SIZE, Blocks
from infadapter_operator.planning.shared_causes import shared
from infadapter_solver.problem import CPU, Target


@dataclass(frozen=True, slots=True)
class _Live:
    """Pods by target that neither terminate nor fail, and whether any pod is starting."""

    pods: Counter[Target]
    ready: Counter[Target]
    starting: bool


def _live(service: Service, blocks: Blocks, there: Observed, failed: set[str]) -> _Live:
    left = failed.union(*(_too_many(service, block, there) for block in blocks.values()))
    gone = {pod.name for pod in there.pods if pod.leaving or (pod.outdated and not pod.ready)}
    live = [pod for pod in there.pods if pod.name not in left | gone]
    pods, ready = Counter(p.target for p in live), Counter(p.target for p in live if p.ready)
    for target in there.rolling:  # the extra pod of a rolling update was not requested
        pods[target] = min(pods[target], max(ready[target], there.desired_pods.get(target, 0)))
    return _Live(pods, ready, starting=any(not pod.ready for pod in live))


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The number of pods that may be planned by target, and the targets that are due for a retry.
    """

    pods: dict[Target, int]
    due: tuple[Target, ...]


def may_grow_again(blocks: Blocks, waiting: Collection[Target], now_s: float) -> Blocks:
    """
    Allow running pods of a target to grow again once its back-off has ended, although one of its
    pods is still unschedulable. A new pod may not be larger than before, since that pod would have
    been scheduled.
    """
    return {
        target: replace(block, grown_millicores=None)
        if target in waiting and now_s >= block.until_s
        else block
        for target, block in blocks.items()
    }


def limits_of(
    service: Service,
    blocks: Blocks,
    there: Observed,
    failed: set[str],
    waiting: frozenset[Target],
    planned: Mapping[Target, int],
    now_s: float,
) -> Limits:
    """
    Return how many pods of each blocked target may be planned, and the targets due for a retry.

    Pods that are Ready or start without trouble may be planned. One more is retried when its
    back-off has ended, no other is awaited and nothing else starts, because a starting pod would be
    given up for one that may not come. The retry happens beside the plan; it is part of the plan
    only if the size is what fails or the current plan already contains the pod.
    """
    live = _live(service, blocks, there, failed)
    whole = [
        b for b in blocks.values() if not b.has_recovered and not _is_of_size(service, b, there)
    ]
    due = {b.target for b in whole if now_s >= b.until_s and b.target not in waiting}
    tried = set() if live.starting else due
    limited = {b.target for b in whole}
    together = shared(whole, service, there)
    if together:
        limited |= targets_of(service)
        tried = _tried_for_all(service, blocks, there, together, tried, now_s)
    within = {b.target for b in whole if b.cause in OF_SIZE}
    within |= {target for target in tried if planned.get(target, 0) > live.ready[target]}
    return Limits(
        pods={
            target: max(live.pods[target], live.ready[target] + 1)
            if target in tried & within
            else live.pods[target]
            for target in limited
        },
        due=tuple(sorted(tried - within, key=lambda t: (_until_s(blocks, t), t))),
    )


def _tried_for_all(
    service: Service,
    blocks: Blocks,
    there: Observed,
    together: Sequence[Block],
    tried: Collection[Target],
    now_s: float,
) -> set[Target]:
    """
    Return the one target to retry for all that fail for a common cause; none while another service
    does.
    """
    elsewhere = any(block.cause in there.tried_elsewhere for block in together)
    if elsewhere or not all(block.target in tried for block in together):
        return set()
    return {_whose_turn(service, blocks, now_s - together[0].until_s)}


def _until_s(blocks: Blocks, target: Target) -> float:
    return blocks[target].until_s if target in blocks else 0.0


def _whose_turn(service: Service, blocks: Blocks, since_s: float) -> Target:
    """
    Return the target to retry for all that fail for a common cause, rotating over time in case one
    of them would not be planned.
    """

    def attempts(target: Target) -> int:
        return blocks[target].attempts if target in blocks else 0

    targets = sorted(targets_of(service), key=lambda target: (attempts(target), target))
    return targets[int(since_s // service.patience.retry_first_s) % len(targets)]


def _too_many(service: Service, block: Block, there: Observed) -> frozenset[str]:
    """Return the pods that cannot grow and are no reason to shrink the others."""
    if not _are_larger_ones_more(service, block, there):
        return frozenset()
    small = (pod for pod in there.of(block.target) if not _is_larger(service, pod, block))
    return frozenset(pod.name for pod in small if pod.resize in STUCK)


def _are_larger_ones_more(service: Service, block: Block, there: Observed) -> bool:
    """
    Whether the pods that grew have more CPU than all pods would have at the size of those that did
    not.
    """
    if block.grown_millicores is None:
        return False
    pods = [pod for pod in there.of(block.target) if not pod.leaving]
    grown = (p for p in pods if p.ready and _is_larger(service, p, block))
    larger = sum(measured_millicores(service, pod) for pod in grown)
    return larger > 0 and larger >= len(pods) * block.grown_millicores


def _is_larger(service: Service, pod: Pod, block: Block) -> bool:
    """
    Whether the pod has more than the block's size, in profiled sizes: beyond the last of them a
    larger pod serves no more.
    """
    return measured_millicores(service, pod) > (block.grown_millicores or 0)


def _is_of_size(service: Service, block: Block, there: Observed) -> bool:
    """Whether another size of the target may come. Not if pods of the failing size are Ready."""
    return (
        block.cause in OF_SIZE
        and not _is_too_large(block, there)
        and (block.fitting_millicores is not None or _keeps_all_small(service, block, there))
    )


def _keeps_all_small(service: Service, block: Block, there: Observed) -> bool:
    """
    Whether pods that did not grow limit the planned size, which they do unless the grown ones have
    more CPU.
    """
    grows_no_more = block.grown_millicores is not None
    return grows_no_more and not _are_larger_ones_more(service, block, there)


def _is_too_large(block: Block, there: Observed) -> bool:
    """Whether the Ready pods are larger than a new pod could be on any node."""
    fitting = block.fitting_millicores
    return fitting is not None and _largest_ready(there, block.target) > fitting


def _largest_ready(there: Observed, target: Target) -> int:
    return max((p.resources.get(CPU, 0) for p in there.of(target) if p.ready), default=0)


def _size_caps(service: Service, block: Block, there: Observed) -> list[int]:
    """
    Return upper limits of the planned size, millicores. Ready pods that exceed a limit stay at
    their size, and become the limit, since nodes have less room for still larger ones.
    """
    largest = _largest_ready(there, block.target)
    grown, fitting = block.grown_millicores, block.fitting_millicores
    if _are_larger_ones_more(service, block, there):
        grown = largest
    if _is_too_large(block, there):
        fitting = largest
    return [size for size in (grown, fitting) if size is not None]


def size_limits(
    service: Service,
    blocks: Blocks,
    there: Observed,
    waiting: Collection[Target],
    now_s: float,
) -> dict[Target, int]:
    """Return the largest size in millicores that may be planned, for targets that have a limit."""
    active = (
        b
        for b in blocks.values()
        if not b.has_recovered
        and (now_s < b.until_s or (b.target in waiting and _is_of_size(service, b, there)))
    )
    caps = {b.target: _size_caps(service, b, there) for b in active}
    return {target: min(sizes) for target, sizes in caps.items() if sizes}


def targets_of(service: Service) -> set[Target]:
    return {Target(v.name, a.kind) for v in service.variants for a in v.allocations}
