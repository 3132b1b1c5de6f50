"""
The conditions of a service: what a user, a dashboard and `kubectl wait` may rely on.

They are written to the status only when they change, so a message holds no number that changes
every tick; numbers of the plan, rounded, are fine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infadapter_operator.api.status import ConditionType
from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.progress import Block, Phase, Progress
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.planning.caution import caution
from infadapter_operator.reporting.sentences import (
    amounts_told,
    blocks_told,
    progress_told,
    rest_told,
    target_told,
    unavailable,
)
from infadapter_solver.left_out import left_out
from infadapter_solver.problem import Problem, Target


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`message` is stable: it changes with what it says, never with every tick."""

    type: str
    status: Status
    reason: str
    message: str


READY_NEEDS = ("SpecValid", "ProfilesResolved", "MetricsFresh", "PlanFeasible", "Serving")
TYPES = tuple(kind.value for kind in ConditionType)

MIN_DELIVERED_RATIO = 0.85
"""A target that delivers less than this part of what its profile promises has a wrong profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What one cycle found out; everything a condition says follows from it."""

    decision: Decision | None
    data_error: str | None = None  # why there is no plan of this moment: no data, or no solution
    unseen: str | None = None  # why nothing was looked at: PlatformUnavailable, Paused, …
    serving: bool = False  # a Ready pod has weight
    progressing: bool = False  # there are steps to take, or pods to wait for
    shortages: tuple[tuple[str, str], ...] = ()  # (reason, sentence)
    conflicts: tuple[str, ...] = ()  # sentences
    progress: Progress | None = None  # None: it is not known how far the rollout is
    blocks: Mapping[Target, Block] = field(default_factory=dict)  # what does not come
    ratios: Mapping[Target, float] = field(default_factory=dict)  # delivered to promised capacity
    error_budget: ErrorBudget = field(default_factory=ErrorBudget)


def conditions(service: Service, signals: Signals) -> tuple[Condition, ...]:
    """
    What a cycle saw. Who knows more replaces the rest by `with_ready`: SpecValid and
    ProfilesResolved are True here, since there is a service, and SLOMet is not measured.
    """
    found = (
        _true("SpecValid", "Accepted", "the spec can be carried out"),
        _true("ProfilesResolved", "Found", "every variant has a profile that fits the SLO"),
        _metrics_fresh(signals),
        _plan_feasible(service, signals.decision),
        _serving(signals),
        _capacity_available(signals),
        _variants_available(signals),
        _as_profiled(signals),
        _progressing(service, signals),
        slo_met(service, None),
        _error_budget_left(service, signals.error_budget),
        _fallback_active(signals),
        _paused(service.mode),
        _conflict(signals),
    )
    return with_ready(found)


def with_ready(found: Iterable[Condition], *overrides: Condition) -> tuple[Condition, ...]:
    """These conditions, some replaced, with the Ready that follows; in the order of `TYPES`."""
    by_type = {c.type: c for c in (*found, *overrides)}
    by_type["Ready"] = _ready(by_type)
    return tuple(by_type[name] for name in TYPES if name in by_type)


def unparsed(problem: Condition, mode: Mode = Mode.AUTO) -> tuple[Condition, ...]:
    """Where there is no service to look at: `problem` is SpecValid or ProfilesResolved, False."""
    unknown = [
        Condition(type=name, status=Status.UNKNOWN, reason=problem.reason, message="not evaluated")
        for name in TYPES
    ]
    spec = _true("SpecValid", "Accepted", "the spec can be carried out")
    before = (spec,) if problem.type == "ProfilesResolved" else ()
    return with_ready((*unknown, *before, problem, _paused(mode)))


def spec_invalid(message: str, reason: str = "Invalid") -> Condition:
    return _false("SpecValid", reason, message)


def profiles_unresolved(reason: str, message: str) -> Condition:
    return _false("ProfilesResolved", reason, message)


SLO_HYSTERESIS = 0.2
"""How much of what may be late must be left over before a missed SLO counts as met again."""


def slo_met(service: Service, ratio: float | None, *, was_missed: bool = False) -> Condition:
    """
    `ratio`: answered 2xx within the SLO ÷ arrived, at the router; None: not measured.

    Missed at once, met again with some room: a ratio that hovers at the goal changes nothing.
    """
    least = service.percentile / 100
    least += SLO_HYSTERESIS * (1 - least) if was_missed else 0.0
    goal = f"{service.percentile:g} % of requests within {service.slo_s * 1000:g} ms"
    if ratio is None:
        return _unknown("SLOMet", "NotMeasured", f"the goal is {goal}")
    if ratio >= least:
        return _true("SLOMet", "Met", f"{goal}, as measured at the router")
    return _false("SLOMet", "Missed", f"not, or only just, {goal}, at the router")


def _error_budget_left(service: Service, budget: ErrorBudget) -> Condition:
    allowed = f"{100 - service.percentile:.4g} % of requests may miss the SLO"
    if budget.left is None:
        return _unknown("ErrorBudgetLeft", "NotMeasured", f"{allowed}; there is no hour of data")
    if caution(budget.pressure) > 0:
        return _false(
            "ErrorBudgetLeft",
            "Burning",
            f"{allowed}, and more were late or refused although the plan had the capacity: plans"
            " have more reserve and trade less of it for accuracy, until half an hour after",
        )
    if budget.left <= 0:
        return _false(
            "ErrorBudgetLeft",
            "Spent",
            f"{allowed}, and more did over the last hour: they failed, or came when the demand was"
            " beyond the plan, or they are too few to tell from chance; the reserve is as it was",
        )
    return _true("ErrorBudgetLeft", "Left", f"{allowed}, and fewer do")


def _ready(by_type: Mapping[str, Condition]) -> Condition:
    needs = [by_type[name] for name in READY_NEEDS if name in by_type]
    lacking = [c for c in needs if c.status is Status.FALSE] or [
        c for c in needs if c.status is Status.UNKNOWN
    ]
    if not lacking:
        return _true("Ready", "Ready", "the service is served as planned for")
    first = lacking[0]
    return Condition(type="Ready", status=first.status, reason=first.reason, message=first.message)


def _metrics_fresh(signals: Signals) -> Condition:
    if signals.unseen:
        return _unknown("MetricsFresh", signals.unseen, "the load was not asked for")
    if signals.data_error in _DATA_ERRORS:
        return _false("MetricsFresh", signals.data_error, _DATA_ERRORS[signals.data_error])
    return _true("MetricsFresh", "Fresh", "the load is known")


_DATA_ERRORS = {
    "NoData": "no load has been counted: is the router scraped, and does demand.query give data?",
    "StaleData": "the last count of the load is too old: is Prometheus still scraping the router?",
    "InvalidData": "the counted load is no rate (NaN, infinite or negative): check demand.query",
    "PartialData": "none of the pods that serve is counted any more: is their /metrics scraped?",
    "QueryFailed": "Prometheus gave no answer, or none that can be read: is it reachable?",
    "LoadError": "the load is not known",
}


def _plan_feasible(service: Service, decision: Decision | None) -> Condition:
    if decision is None:
        return _unknown("PlanFeasible", "NoPlan", "nothing has been planned yet")
    if decision.plan.feasible:
        return _true("PlanFeasible", "Feasible", "the plan serves the demand within the budget")
    return _false(
        "PlanFeasible",
        "DemandExceedsBudget",
        f"the budget ({amounts_told(service.budget)}) serves {decision.plan.capacity_rps:.3g} rps,"
        f" and {decision.demand_rps:.2g} are expected: raise the budget or the SLO"
        f"{_left_out(service)}",
    )


def _left_out(service: Service) -> str:
    """The variants that no plan can have, which is why it may be so little."""
    asked = Problem(variants=service.variants, demand_rps=0.0, objective=service.objective)
    told = [f"{variant} {why}" for variant, why in left_out(asked, service.accuracy_floor).items()]
    return f"; left out: {'; '.join(told)}" if told else ""


def _serving(signals: Signals) -> Condition:
    if signals.unseen:
        return _unknown("Serving", signals.unseen, "the pods were not looked at")
    if signals.serving:
        return _true("Serving", "BackendsReady", "at least one Ready pod gets traffic")
    return _false("Serving", "NoReadyBackend", "no Ready pod gets traffic: requests are refused")


def _capacity_available(signals: Signals) -> Condition:
    if signals.unseen:
        return _unknown("CapacityAvailable", signals.unseen, "the pods were not looked at")
    if signals.shortages:
        reason = signals.shortages[0][0]
        sentences = dict.fromkeys(sentence for _, sentence in signals.shortages)
        return _false("CapacityAvailable", reason, "; ".join(sentences))
    return _true("CapacityAvailable", "Available", "there is room for what is planned")


def _variants_available(signals: Signals) -> Condition:
    if signals.unseen:
        return _unknown("VariantsAvailable", signals.unseen, "the pods were not looked at")
    blocks = unavailable(signals.blocks)
    if blocks:
        return _false("VariantsAvailable", *blocks_told(blocks))
    return _true("VariantsAvailable", "Available", "pods come of every variant that is planned")


def _as_profiled(signals: Signals) -> Condition:
    if signals.unseen:
        return _unknown("CapacityAsProfiled", signals.unseen, "the pods were not looked at")
    short = sorted(
        target for target, ratio in signals.ratios.items() if ratio < MIN_DELIVERED_RATIO
    )
    if short:
        names = ", ".join(map(target_told, short))
        return _false(
            "CapacityAsProfiled",
            "LessDelivered",
            f"pods deliver less than {MIN_DELIVERED_RATIO:g} of what their profile promises, and"
            f" are planned with what they deliver; profile them again: {names}",
        )
    return _true("CapacityAsProfiled", "AsProfiled", "pods deliver what their profiles promise")


def _progressing(service: Service, signals: Signals) -> Condition:
    if signals.unseen:
        return _unknown("Progressing", signals.unseen, "the pods were not looked at")
    if service.mode is Mode.RECOMMEND:
        return _false("Progressing", "Recommend", "plans are reported, not carried out")
    if signals.progress is not None:
        return _progress(signals.progress)
    if signals.progressing:
        return _true("Progressing", "Adapting", "pods or weights are not yet as planned")
    return _false("Progressing", "AsPlanned", "pods and weights are as planned")


def _progress(progress: Progress) -> Condition:
    if progress.rest is not None:
        return _false("Progressing", progress.rest.value, rest_told(progress, progress.rest))
    if progress.phase is Phase.DONE:
        return _false("Progressing", progress.phase.value, "pods and weights are as planned")
    return _true("Progressing", progress.phase.value, progress_told(progress))


def _fallback_active(signals: Signals) -> Condition:
    decision = signals.decision
    if signals.data_error and decision is not None:
        no_data = signals.data_error in _DATA_ERRORS
        why = "there is no fresh data" if no_data else "the solver gave no answer"
        return _true("FallbackActive", signals.data_error, f"the last plan is held: {why}")
    if decision is not None and decision.source is Source.GREEDY:
        return _true("FallbackActive", "Greedy", "time ran out before the optimum was proven")
    return _false("FallbackActive", "Planned", "the plan follows the load")


def _paused(mode: Mode) -> Condition:
    if mode is Mode.PAUSED:
        return _true("Paused", "Paused", "mode is Paused: nothing is planned or changed")
    return _false("Paused", str(mode), f"mode is {mode}")


def _conflict(signals: Signals) -> Condition:
    if signals.conflicts:
        return _true("Conflict", "OwnedElsewhere", "; ".join(signals.conflicts))
    return _false("Conflict", "None", "no other controller writes to these pods")


def _true(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.TRUE, reason=reason, message=message)


def _false(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.FALSE, reason=reason, message=message)


def _unknown(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.UNKNOWN, reason=reason, message=message)
