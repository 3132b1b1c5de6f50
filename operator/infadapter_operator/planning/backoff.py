"""
What does not come is left: a target whose pods fail to start is planned without, for a while.

The back-off doubles with every attempt and is forgotten after as long without trouble. Only *new*
pods are forbidden: those that are Ready stay planned, weighted and counted.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from infadapter_operator.domain.observed import STUCK, Cause, Observed, Pod, Trouble
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Patience, Service
from infadapter_operator.planning.capacity import fitting, load_time_s
from infadapter_solver.problem import CPU, Target

Blocks = Mapping[Target, Block]

SHARED_WITHIN_S = 60.0
"""
Two variants that fail for one cause within this, and the patience with the second one, have it in
common: a registry, a quota.
"""

OF_SIZE = (Cause.NO_NODE, Cause.RESIZE)
"""Causes that another size of the same target may not have."""

SHAREABLE = (Cause.IMAGE, Cause.CONFIG, Cause.REFUSED)

SMALLER_SIZE_RATIO = 0.8
"""Of a size that no node has room for: what is tried next."""

JITTER = 0.2
"""Of the back-off, so that what failed together is not tried again together."""


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


def blocks_after(service: Service, before: Blocks, observed: Observed, now_s: float) -> Blocks:
    """
    The blocks in force now. One whose time is over allows an attempt, and stays known until the
    back-off is forgotten; one whose cause is gone allows all again.
    """
    ours = {pod.target for pod in observed.pods} - observed.untouchable
    failures = {
        target: failure
        for target in {*observed.refusals, *ours}
        if (failure := _failure_of(service, observed, before, target, now_s))
    }
    kept = {
        target: _with_what_came(block, observed, now_s)
        for target, block in before.items()
        if target not in failures and not _is_over(service, observed, block, now_s)
    }
    failed = {
        target: _block(service.patience, before.get(target), observed, target, failure, now_s)
        for target, failure in failures.items()
    }
    return _one_back_off({**kept, **failed}, service, observed)


def _one_back_off(blocks: Blocks, service: Service, observed: Observed) -> Blocks:
    """What fails for one cause is tried again at one time: the first to be tried tells of all."""
    together = shared(blocks.values(), service, observed)
    if not together:
        return blocks
    until_s = max(block.until_s for block in together)
    return {**blocks, **{b.target: replace(b, until_s=until_s) for b in together}}


@dataclass(frozen=True, slots=True)
class _Failure:
    """Of a target: what is wrong, and with what size, where another might do (as in a Block)."""

    trouble: Trouble
    fitting_millicores: int | None = None
    grown_millicores: int | None = None

    def after(self, before: Block | None) -> "_Failure":
        """
        With what was learnt of sizes before: who forgets that nothing grows when he learns that
        nothing new fits tries one and the other for ever.
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


def _failure_of(
    service: Service, observed: Observed, before: Blocks, target: Target, now_s: float
) -> _Failure | None:
    """Why no further pod of this target comes; None while there is patience, or no trouble."""
    given_up = [pod for pod in failing(service, observed, before, now_s) if pod.target == target]
    kept_small = [pod for pod in observed.of(target) if _is_stuck(service, observed, pod, now_s)]
    if target in observed.refusals:
        trouble = observed.refusals[target]
    elif given_up:
        trouble = _told(given_up[0])
    elif kept_small:
        message = "its node has no room for it to grow, or refuses"
        trouble = Trouble(cause=Cause.RESIZE, message=message, since_s=now_s)
    else:
        return None
    return _Failure(
        trouble,
        fitting_millicores=_size_that_may_fit(given_up[0]) if given_up else None,
        grown_millicores=max((_planned_size(service, pod) for pod in kept_small), default=None),
    )


def _planned_size(service: Service, pod: Pod) -> int:
    """The largest size inside its own that can be planned: one that nobody measured is no limit."""
    found = fitting(service, pod.target, pod.size)
    return found.cpu_millicores if found else 0


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


def _with_what_came(block: Block, observed: Observed, now_s: float) -> Block:
    """A later pod that is Ready: others may come too."""
    came = any(
        pod.ready and pod.created_at_s > block.created_s for pod in observed.of(block.target)
    )
    if block.come or not came:
        return block
    return replace(block, come=True, until_s=min(block.until_s, now_s))


def failing(service: Service, observed: Observed, blocks: Blocks, now_s: float) -> list[Pod]:
    """
    Pods that are not Ready and with which patience has ended, now or when the block was made; the
    oldest first.
    """
    found = [
        pod
        for pod in observed.pods
        if not (pod.ready or pod.leaving or pod.is_lost or pod.outdated)
        and pod.target not in observed.untouchable
        and (now_s >= gives_up_at_s(service, observed, pod) or _was_given_up(blocks, observed, pod))
    ]
    return sorted(found, key=lambda pod: (pod.created_at_s, pod.name))


def _was_given_up(blocks: Blocks, observed: Observed, pod: Pod) -> bool:
    """
    The pod that a block was made for, since it runs and does not become Ready. That another plan
    was made is no progress of it: with patience anew it would be taken down, and tried again.
    """
    block = blocks.get(pod.target)
    if block is None or block.come or block.cause is not Cause.NOT_READY:
        return False
    unready = (p.created_at_s for p in observed.of(pod.target) if not (p.ready or p.leaving))
    return pod.created_at_s == min(unready) <= block.created_s


def _told(pod: Pod) -> Trouble:
    began_s = _unready_since_s(pod)
    if pod.trouble is not None:
        return pod.trouble
    if pod.unschedulable_since_s is not None:
        since_s = pod.unschedulable_since_s
        return Trouble(cause=Cause.NO_NODE, message="no node has room for it", since_s=since_s)
    message = "it runs and does not become Ready"
    return Trouble(cause=Cause.NOT_READY, message=message, since_s=began_s)


def _block(
    patience: Patience,
    before: Block | None,
    observed: Observed,
    target: Target,
    failure: _Failure,
    now_s: float,
) -> Block:
    digest = observed.digests.get(target, "")
    if before is not None and before.digest != digest:
        before = None
    failure = failure.after(before)
    trouble = _with_its_own(before, failure.trouble)
    if before is not None and now_s < before.until_s and not before.come:
        # Who pulls its image at last is not Ready yet; that is no trouble of its own.
        told = before if failure.trouble.cause is Cause.NOT_READY else trouble
        return replace(
            before,
            cause=told.cause,
            message=told.message,
            fitting_millicores=failure.fitting_millicores,
            grown_millicores=failure.grown_millicores,
        )
    attempts = before.attempts + 1 if before else 1
    wait_s = min(patience.retry_most_s, patience.retry_first_s * 2 ** (attempts - 1))
    wait_s *= 1 + JITTER * _chance(target, attempts)
    return Block(
        target=target,
        digest=digest,
        cause=trouble.cause,
        message=trouble.message,
        since_s=before.since_s if before else now_s,
        until_s=now_s + wait_s,
        attempts=attempts,
        fitting_millicores=failure.fitting_millicores,
        grown_millicores=failure.grown_millicores,
        created_s=_created_s(observed, target, now_s),
    )


def _with_its_own(before: Block | None, trouble: Trouble) -> Trouble | Block:
    """
    That no node has room is no news of a target of which no pod has come for another cause: else as
    many pods would be planned as fit, at a smaller size, of what fails on every node.
    """
    if before is None or before.come or trouble.cause is not Cause.NO_NODE:
        return trouble
    return trouble if before.cause in OF_SIZE else before


def _created_s(observed: Observed, target: Target, now_s: float) -> float:
    """When what fails was made; a pod that is Ready already is no news, even if it came later."""
    unready = [pod.created_at_s for pod in observed.of(target) if not pod.ready]
    ready = [pod.created_at_s for pod in observed.of(target) if pod.ready]
    return max([min(unready, default=now_s), *ready])


def _chance(target: Target, attempts: int) -> float:
    """From 0 to 1, the same for the same attempt: nothing here draws."""
    return zlib.crc32(f"{target}{attempts}".encode()) / 2**32


def _is_over(service: Service, observed: Observed, block: Block, now_s: float) -> bool:
    """A new template is another matter; otherwise it is forgotten after a time without trouble."""
    if block.target.variant not in {variant.name for variant in service.variants}:
        return True
    if observed.digests.get(block.target, block.digest) != block.digest:
        return True
    return now_s >= block.until_s + service.patience.retry_most_s


def shared(blocks: Iterable[Block], service: Service, observed: Observed) -> tuple[Block, ...]:
    """
    Blocks whose cause is not their target's own: other targets, or services, were left for it at
    about the same time, and no pod that was made since then has become Ready.
    """
    within_s = SHARED_WITHIN_S + service.patience.start_s
    found = sorted(
        (b for b in blocks if b.cause in SHAREABLE and not b.come),
        key=lambda block: (block.cause, block.since_s),
    )
    together = {block for block in found if block.cause in observed.shared_causes}
    for one, other in pairwise(found):
        if one.cause is other.cause and other.since_s - one.since_s <= within_s:
            together |= {one, other}
    from_s = min((block.created_s for block in together), default=0.0)
    if any(pod.ready and pod.created_at_s >= from_s for pod in observed.pods):
        return ()
    return tuple(block for block in found if block in together)
