"""
Convert failing targets to the status and back. After a restart they are still known, so that a
variant that has just failed is not retried at once and nothing is reported twice.
"""

from collections.abc import Iterable, Mapping

from infadapter_operator.api.condition import Condition as ConditionStatus
from infadapter_operator.api.status import BlockedPods, InferenceServiceStatus, VariantStatus
from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.reporting.condition import NOT_OBSERVED, Condition, false, true, unknown
from infadapter_operator.reporting.sentences import unavailable
from infadapter_operator.reporting.transitions import whole_second, with_times
from infadapter_solver.problem import Target

AVAILABLE = "Available"
MAX_VARIANTS = 16
"""Number of variants in the status; failing ones come first."""

_COMES = true(AVAILABLE, "Available", "its pods are started when planned")
_UNKNOWN = unknown(AVAILABLE, "NotLookedAt", NOT_OBSERVED)


def variants_of(
    service: Service,
    blocks: Mapping[Target, Block] | None,
    before: Iterable[VariantStatus],
    generation: int,
    now_s: float,
) -> tuple[VariantStatus, ...]:
    """
    Return the status by variant. `blocks=None` means that nothing was observed, so the earlier
    status is kept.
    """
    earlier = {target_of(told): told for told in before}
    held = {block.target: block for block in unavailable(blocks or {})}

    def told(target: Target) -> VariantStatus:
        before, block = earlier.get(target), held.get(target)
        if before is not None and blocks is None:
            return before
        said = _UNKNOWN if blocks is None else _said(block)
        return VariantStatus(
            variant=target.variant,
            kind=target.kind,
            conditions=with_times((said,), before.conditions if before else (), generation, now_s),
            blocked=_blocked(block) if block else None,
        )

    first = sorted(_all(service), key=lambda target: target not in held)[:MAX_VARIANTS]
    return tuple(told(target) for target in sorted(first))


def _all(service: Service) -> list[Target]:
    return sorted({Target(v.name, a.kind) for v in service.variants for a in v.allocations})


def blocks_from(status: InferenceServiceStatus | None) -> dict[Target, Block]:
    """Return the blocks from before a restart."""
    found = (_block(told) for told in (status.variants if status else ()))
    return {block.target: block for block in found if block}


def availability(told: VariantStatus) -> ConditionStatus | None:
    return next((c for c in told.conditions if c.type == AVAILABLE), None)


def target_of(told: VariantStatus) -> Target:
    return Target(told.variant, told.kind)


def _said(block: Block | None) -> Condition:
    if block is None:
        return _COMES
    return false(AVAILABLE, block.cause.value, block.message)


def _blocked(block: Block) -> BlockedPods:
    return BlockedPods(
        template=block.digest,
        since=whole_second(block.since_s),
        until=whole_second(block.until_s),
        pod_created_at=whole_second(block.created_s),
        attempts=block.attempts,
    )


def _block(told: VariantStatus) -> Block | None:
    condition, blocked = availability(told), told.blocked
    if blocked is None or condition is None:
        return None
    return Block(
        target=target_of(told),
        digest=blocked.template,
        cause=_cause(condition.reason),
        message=condition.message,
        since_s=blocked.since.timestamp(),
        until_s=blocked.until.timestamp(),
        attempts=blocked.attempts,
        created_s=blocked.pod_created_at.timestamp(),
    )


def _cause(reason: str) -> Cause:
    """Return the cause, or NOT_READY for one that a newer operator wrote."""
    return Cause(reason) if reason in set(Cause) else Cause.NOT_READY
