"""Conditions with the time of their last transition: one that keeps its status keeps its time."""

from collections.abc import Iterable
from datetime import UTC, datetime

from infadapter_operator.api.condition import Condition as ConditionStatus
from infadapter_operator.reporting.condition import Condition

_LAST_S = 253_402_300_799  # the last second of the year 9999


def with_times(
    conditions: Iterable[Condition],
    before: Iterable[ConditionStatus],
    generation: int,
    now_s: float,
) -> tuple[ConditionStatus, ...]:
    earlier = {condition.type: condition for condition in before}
    return tuple(
        ConditionStatus(
            type=condition.type,
            status=condition.status.value,
            reason=condition.reason,
            message=condition.message,
            observed_generation=generation,
            last_transition_time=_since(condition, earlier.get(condition.type), now_s),
        )
        for condition in conditions
    )


def _since(condition: Condition, earlier: ConditionStatus | None, now_s: float) -> datetime:
    same = earlier is not None and earlier.status == condition.status.value
    return earlier.last_transition_time if earlier and same else whole_second(now_s)


def whole_second(at_s: float) -> datetime:
    """Beyond the last year that can be written it is that year's end: a load time has no bound."""
    return datetime.fromtimestamp(min(int(at_s), _LAST_S), UTC)
