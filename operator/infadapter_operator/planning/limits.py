"""
How many pods of a target may be planned, and how large, while something of it does not come.

Ready pods stay planned. What fails is tried again by one pod at a time, and what fails for one
cause by one pod for all.
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
    """Pods by target that neither leave nor fail, and whether one of them starts."""

    pods: Counter[Target]
    ready: Counter[Target]
    starting: bool


def _live(service: Service, blocks: Blocks, there: Observed, failed: set[str]) -> _Live:
    left = failed.union(*(_too_many(service, block, there) for block in blocks.values()))
    gone = {pod.name for pod in there.pods if pod.leaving or (pod.outdated and not pod.ready)}
    live = [pod for pod in there.pods if pod.name not in left | gone]
    pods, ready = Counter(p.target for p in live), Counter(p.target for p in live if p.ready)
    for target in there.rolling:  # its pod more was not asked for
        pods[target] = min(pods[target], max(ready[target], there.desired_pods.get(target, 0)))
    return _Live(pods, ready, starting=any(not pod.ready for pod in live))


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pods of a target may be planned, and which targets are due to be tried again."""

    pods: dict[Target, int]
    due: tuple[Target, ...]


def may_grow_again(blocks: Blocks, waiting: Collection[Target], now_s: float) -> Blocks:
    """
    When its back-off is over, what runs of a target may grow again although a pod of it still waits
    for a node; a new one may be no larger than before, as that pod would have come.
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
    Planned may be those that are Ready, or start without trouble. One more is tried when its time
    has come, none is waited for and nothing else starts: what starts would be given up for what may
    not come. It is tried beside the plan; only where size is what fails, or where the plan in force
    has it already, within it.
    """
    live = _live(service, blocks, there, failed)
    whole = [b for b in blocks.values() if not b.come and not _is_of_size(service, b, there)]
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
    """Of all that fail for one cause, one target; none while that is tried elsewhere."""
    elsewhere = any(block.cause in there.tried_elsewhere for block in together)
    if elsewhere or not all(block.target in tried for block in together):
        return set()
    return {_whose_turn(service, blocks, now_s - together[0].until_s)}


def _until_s(blocks: Blocks, target: Target) -> float:
    return blocks[target].until_s if target in blocks else 0.0


def _whose_turn(service: Service, blocks: Blocks, since_s: float) -> Target:
    """
    The target to be tried for all that fail for one cause; the next one where it was not planned.
    """

    def attempts(target: Target) -> int:
        return blocks[target].attempts if target in blocks else 0

    targets = sorted(targets_of(service), key=lambda target: (attempts(target), target))
    return targets[int(since_s // service.patience.retry_first_s) % len(targets)]


def _too_many(service: Service, block: Block, there: Observed) -> frozenset[str]:
    """Pods that can't grow, and that are no reason to shrink the others."""
    if not _are_larger_ones_more(service, block, there):
        return frozenset()
    small = (pod for pod in there.of(block.target) if not _is_larger(service, pod, block))
    return frozenset(pod.name for pod in small if pod.resize in STUCK)


def _are_larger_ones_more(service: Service, block: Block, there: Observed) -> bool:
    """Whether those that grew have more CPU than all would at the size of those that can't."""
    if block.grown_millicores is None:
        return False
    pods = [pod for pod in there.of(block.target) if not pod.leaving]
    grown = (p for p in pods if p.ready and _is_larger(service, p, block))
    larger = sum(measured_millicores(service, pod) for pod in grown)
    return larger > 0 and larger >= len(pods) * block.grown_millicores


def _is_larger(service: Service, pod: Pod, block: Block) -> bool:
    """As sizes can be planned: one that did not grow may be beyond the last that was measured."""
    return measured_millicores(service, pod) > (block.grown_millicores or 0)


def _is_of_size(service: Service, block: Block, there: Observed) -> bool:
    """Whether another size of it may come; not where pods of the size that does not are Ready."""
    return (
        block.cause in OF_SIZE
        and not _is_too_large(block, there)
        and (block.fitting_millicores is not None or _keeps_all_small(service, block, there))
    )


def _keeps_all_small(service: Service, block: Block, there: Observed) -> bool:
    """That some did not grow: none is planned larger, but where those that are have more."""
    grows_no_more = block.grown_millicores is not None
    return grows_no_more and not _are_larger_ones_more(service, block, there)


def _is_too_large(block: Block, there: Observed) -> bool:
    """What is Ready, for a new pod of its size to find a node."""
    fitting = block.fitting_millicores
    return fitting is not None and _largest_ready(there, block.target) > fitting


def _largest_ready(there: Observed, target: Target) -> int:
    return max((p.resources.get(CPU, 0) for p in there.of(target) if p.ready), default=0)


def _size_caps(service: Service, block: Block, there: Observed) -> list[int]:
    """
    What pods of it may have at most; where larger ones than may fit, or did not grow, are Ready,
    they stay, and for still larger ones the nodes have less room.
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
    """The largest size in millicores that may be planned, of targets that have one."""
    active = (
        b
        for b in blocks.values()
        if not b.come
        and (now_s < b.until_s or (b.target in waiting and _is_of_size(service, b, there)))
    )
    caps = {b.target: _size_caps(service, b, there) for b in active}
    return {target: min(sizes) for target, sizes in caps.items() if sizes}


def targets_of(service: Service) -> set[Target]:
    return {Target(v.name, a.kind) for v in service.variants for a in v.allocations}
