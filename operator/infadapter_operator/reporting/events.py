"""Events: changes from one status to the next that a user wants to be told about once. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infadapter_operator.api.condition import Condition
from infadapter_operator.api.plan import PlanStatus
from infadapter_operator.api.status import InferenceServiceStatus, VariantStatus
from infadapter_operator.reporting.sentences import target_told
from infadapter_operator.reporting.variant_status import availability, target_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    reason: str
    message: str
    warning: bool = False


_BAD = {
    ("SpecValid", "False"): "SpecInvalid",
    ("ProfilesResolved", "False"): "ProfilesUnresolved",
    ("MetricsFresh", "False"): "MetricsStale",
    ("PlanFeasible", "False"): "Infeasible",
    ("CapacityAvailable", "False"): "QuotaLimited",
    ("Serving", "False"): "NotServing",
    ("Conflict", "True"): "ConflictDetected",
    ("ErrorBudgetLeft", "False"): "ErrorBudgetBurning",
}


def events_between(
    before: InferenceServiceStatus | None, after: InferenceServiceStatus
) -> tuple[Event, ...]:
    earlier = {c.type: c for c in before.conditions} if before else {}
    turned = (
        Event(reason=_reason(condition), message=condition.message, warning=True)
        for condition in after.conditions
        if (condition.type, condition.status) in _BAD
        # A new router has no counters yet.
        and (before is not None or condition.type != "MetricsFresh")
        and _differs(earlier.get(condition.type), condition)
        and not _begins(earlier.get(condition.type), condition)
    )
    plans = _plan_events(before.plan if before else None, after.plan)
    return (*plans, *turned, *_variant_events(before.variants if before else (), after.variants))


def _variant_events(
    before: Iterable[VariantStatus], after: Iterable[VariantStatus]
) -> Iterator[Event]:
    """
    Yield events of variants whose pods start or stop failing. Another cause of the same failure is
    no event.
    """
    earlier = {target_of(told): availability(told) for told in before}
    for told in after:
        target, now = target_of(told), availability(told)
        was_away = _is_away(earlier.get(target))
        if _is_away(now) and not was_away:
            words = f"{target_told(target)}: {now.message}" if now else target_told(target)
            yield Event(reason="VariantUnavailable", message=words, warning=True)
        elif was_away and now and now.status == "True":
            yield Event(reason="VariantAvailable", message=f"pods of {target_told(target)} come")


def _is_away(condition: Condition | None) -> bool:
    return condition is not None and condition.status == "False"


def _differs(earlier: Condition | None, now: Condition) -> bool:
    return earlier is None or (earlier.status, earlier.reason) != (now.status, now.reason)


def _begins(earlier: Condition | None, now: Condition) -> bool:
    """Whether nothing serves because no pod is Ready yet, or nothing was observed before."""
    was_serving = earlier is not None and earlier.status == "True"
    return now.reason == "NoReadyBackend" and not was_serving


def _reason(condition: Condition) -> str:
    if condition.type == "CapacityAvailable" and "Resize" in condition.reason:
        return "ResizeDeferred"
    return _BAD[(condition.type, condition.status)]


def _plan_events(before: PlanStatus | None, after: PlanStatus | None) -> tuple[Event, ...]:
    if after is None or (before and before.allocations == after.allocations):
        return ()
    message = f"{after.summary or 'nothing'} for {after.demand_rps:g} rps"
    if before is None:
        return (Event(reason="Planned", message=message),)
    if {p.variant for p in before.allocations} != {p.variant for p in after.allocations}:
        return (Event(reason="VariantSwitched", message=f"{before.summary} → {message}"),)
    grows = _capacity(after) >= _capacity(before)
    return (Event(reason="ScaleUp" if grows else "ScaleDown", message=message),)


def _capacity(plan: PlanStatus) -> float:
    return sum(planned.pods * planned.capacity_rps for planned in plan.allocations)
