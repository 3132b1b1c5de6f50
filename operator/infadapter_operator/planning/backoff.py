"""
Back-off for variants that fail to start: the target is excluded from planning for a while.

The back-off doubles with every failed attempt and is forgotten after an equally long time without
failures. It forbids *new* pods only: Ready pods stay planned, weighted and counted.
"""

import zlib
from collections.abc import Collection, Iterable
from dataclasses import replace

from infadapter_operator.domain.observed import STUCK, Cause, Observed, Pod, Trouble
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Patience, Service
from infadapter_operator.planning.failures import OF_SIZE, Blocks, Failure, failure_of
from infadapter_operator.planning.shared_causes import shared
from infadapter_profiles.backoff import backoff_s
from infadapter_solver.problem import Target

JITTER = 0.2
"""
Jitter as a share of the back-off, so that targets that failed together are not retried together.
"""


def blocks_after(
    service: Service,
    before: Blocks,
    observed: Observed,
    now_s: float,
    awaited: Collection[str] = frozenset(),
) -> Blocks:
    """
    Return the blocks after this cycle, by target.

    A block whose back-off has ended allows one attempt and is remembered until the back-off is
    forgotten. A block whose cause is gone is removed. `awaited` are the pods that were waited for
    in the last cycle.
    """
    before = _within_reach(before, service.patience, now_s)
    if not (before or observed.refusals) and all(map(_is_in_order, observed.pods)):
        return {}
    ours = {pod.target for pod in observed.pods} - observed.untouchable
    failures = {
        target: failure
        for target in {*observed.refusals, *ours}
        if (failure := failure_of(service, observed, before, target, now_s, awaited))
    }
    kept = {
        target: _with_what_came(block, observed, awaited, now_s)
        for target, block in before.items()
        if target not in failures and not _is_over(service, observed, block, awaited, now_s)
    }
    failed = {
        target: _block(service.patience, before.get(target), observed, target, failure, now_s)
        for target, failure in failures.items()
    }
    found = _one_room(before, {**kept, **failed}, service.patience, observed, now_s)
    return _one_back_off(found, service, observed)


def _within_reach(blocks: Blocks, patience: Patience, now_s: float) -> Blocks:
    """
    Shorten back-offs that end later than any could, because the clock was set back or the patience
    cut.
    """
    latest_s = now_s + (1 + JITTER) * patience.retry_most_s
    return {
        target: replace(block, until_s=latest_s) if block.until_s > latest_s + 1 else block
        for target, block in blocks.items()
    }


def _is_in_order(pod: Pod) -> bool:
    """
    Whether the pod is fine. If all pods are, which is the usual case, no failure is looked for.
    """
    return pod.ready and pod.resize not in STUCK


def _one_room(
    before: Blocks, blocks: Blocks, patience: Patience, observed: Observed, now_s: float
) -> Blocks:
    """
    Let targets that found no room on the nodes wait together for at least one more back-off.

    This covers new pods and resizes that failed while the first of them was awaited. Otherwise the
    back-off of one would end while the other waits, they would be planned alternately for ever, and
    a target that does have room would never be planned.
    """
    fresh = [
        block
        for target, block in blocks.items()
        if block.cause in OF_SIZE
        and (target not in before or before[target].attempts < block.attempts)
    ]
    if not fresh:
        return blocks
    began_s = min(_waits_since_s(observed, block) for block in fresh)
    rest_s = now_s + patience.retry_first_s
    return {
        target: replace(block, until_s=max(block.until_s, rest_s))
        if block.cause in OF_SIZE and not block.has_recovered and block.until_s >= began_s
        else block
        for target, block in blocks.items()
    }


def _waits_since_s(observed: Observed, block: Block) -> float:
    """
    Return since when the target waits for room: since its oldest unschedulable pod or stuck resize.
    """
    pods = observed.of(block.target)
    pending = [s for pod in pods if (s := pod.unschedulable_since_s) is not None]
    stuck = [s for pod in pods if pod.resize in STUCK and (s := pod.resize_since_s) is not None]
    return min([*pending, *stuck], default=block.created_s)


def _one_back_off(blocks: Blocks, service: Service, observed: Observed) -> Blocks:
    """
    Give targets that fail for a common cause the same end of their back-off: the first retry shows
    whether the cause is gone for all of them.
    """
    together = shared(blocks.values(), service, observed)
    if not together:
        return blocks
    until_s = max(block.until_s for block in together)
    return {**blocks, **{b.target: replace(b, until_s=until_s) for b in together}}


def _with_what_came(
    block: Block, observed: Observed, awaited: Collection[str], now_s: float
) -> Block:
    """Return the block, marked as resolved if a later pod or the awaited one is Ready."""
    came = any(
        pod.ready and (pod.created_at_s > block.created_s or pod.name in awaited)
        for pod in observed.of(block.target)
    )
    if block.has_recovered or not came:
        return block
    return replace(block, has_recovered=True, until_s=min(block.until_s, now_s))


def _block(
    patience: Patience,
    before: Block | None,
    observed: Observed,
    target: Target,
    failure: Failure,
    now_s: float,
) -> Block:
    digest = observed.digests.get(target, "")
    if before is not None and before.digest != digest:
        before = None
    failure = failure.after(before)
    trouble = _known_trouble(before, failure.trouble)
    if before is not None and now_s < before.until_s and not before.has_recovered:
        # A pod whose image was pulled at last is not Ready yet: the earlier cause explains why.
        told = before if failure.trouble.cause is Cause.NOT_READY else trouble
        return replace(
            before,
            cause=told.cause,
            message=told.message,
            fitting_millicores=failure.fitting_millicores,
            grown_millicores=failure.grown_millicores,
        )
    attempts = before.attempts + 1 if before else 1
    wait_s = backoff_s(patience.retry_first_s, attempts, patience.retry_most_s)
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


def _known_trouble(before: Block | None, trouble: Trouble) -> Trouble | Block:
    """
    Keep the earlier cause of a target if the new one only says that no node has room.

    If no pod of the target ever came for another reason, a lack of room is no news. Recording it
    would lead to plans with smaller pods of a variant that fails on every node.
    """
    if before is None or before.has_recovered or trouble.cause is not Cause.NO_NODE:
        return trouble
    return trouble if before.cause in OF_SIZE else before


def _created_s(observed: Observed, target: Target, now_s: float) -> float:
    """Return when the failing pod was created, but not before the latest Ready pod."""
    unready = [pod.created_at_s for pod in observed.of(target) if not pod.ready]
    ready = [pod.created_at_s for pod in observed.of(target) if pod.ready]
    return max([min(unready, default=now_s), *ready])


def _chance(target: Target, attempts: int) -> float:
    """
    Return a pseudo-random number in [0, 1) that depends on target and attempt only, so that
    planning stays a pure function.
    """
    return zlib.crc32(f"{target}{attempts}".encode()) / 2**32


def _is_over(
    service: Service, observed: Observed, block: Block, awaited: Collection[str], now_s: float
) -> bool:
    """
    Whether the block can be forgotten: the variant or its template changed, or there was no failure
    for long enough and no pod is awaited.
    """
    if block.target.variant not in {variant.name for variant in service.variants}:
        return True
    if observed.digests.get(block.target, block.digest) != block.digest:
        return True
    waits = any(pod.name in awaited and not pod.ready for pod in observed.of(block.target))
    return now_s >= block.until_s + service.patience.retry_most_s and not waits


def waiting_for_room(
    service: Service, blocks: Blocks, without_room: Iterable[Target], now_s: float
) -> Blocks:
    """
    Keep the blocks of targets that were not retried for lack of room.

    If they were forgotten, all their pods would be planned in place of pods that serve. Their time
    is renewed only now and then, because each renewal is a status write.
    """
    long_s = service.patience.retry_most_s / 2
    late = (blocks[target] for target in without_room if target in blocks)
    return {
        **blocks,
        **{b.target: replace(b, until_s=now_s) for b in late if now_s >= b.until_s + long_s},
    }
