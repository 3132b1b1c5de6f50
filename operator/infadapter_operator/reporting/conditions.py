"""
The conditions of a service, on which users, dashboards and `kubectl wait` may rely.

They are written to the status only when they change. So a message contains no number that changes
in every cycle; rounded numbers of the plan are fine.
"""

from collections.abc import Iterable, Mapping

from infadapter_operator.api.condition import ConditionType
from infadapter_operator.domain.decision import Source
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.planning.caution import caution
from infadapter_operator.reporting.condition import (
    Condition,
    Signals,
    Status,
    false,
    true,
    unknown,
)
from infadapter_operator.reporting.pod_conditions import (
    as_profiled,
    capacity_available,
    progressing,
    serving,
    variants_available,
)
from infadapter_operator.reporting.sentences import amounts_told
from infadapter_solver.left_out import left_out
from infadapter_solver.problem import Problem

READY_NEEDS = ("SpecValid", "ProfilesResolved", "MetricsFresh", "PlanFeasible", "Serving")
TYPES = tuple(kind.value for kind in ConditionType)


def conditions(service: Service, signals: Signals) -> tuple[Condition, ...]:
    """
    What a cycle saw. Who knows more replaces the rest by `with_ready`: SpecValid and
    ProfilesResolved are True here, since there is a service, and SLOMet is not measured.
    """
    found = (
        true("SpecValid", "Accepted", "the spec can be carried out"),
        true("ProfilesResolved", "Found", "every variant has a profile that fits the SLO"),
        _metrics_fresh(signals),
        _plan_feasible(service, signals),
        serving(signals),
        capacity_available(signals),
        variants_available(signals),
        as_profiled(signals),
        progressing(service, signals),
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
    unevaluated = [
        Condition(type=name, status=Status.UNKNOWN, reason=problem.reason, message="not evaluated")
        for name in TYPES
    ]
    spec = true("SpecValid", "Accepted", "the spec can be carried out")
    before = (spec,) if problem.type == "ProfilesResolved" else ()
    return with_ready((*unevaluated, *before, problem, _paused(mode)))


def spec_invalid(message: str, reason: str = "Invalid") -> Condition:
    return false("SpecValid", reason, message)


def loop_failed(error: BaseException) -> Condition:
    return unknown(
        "SpecValid",
        "LoopFailed",
        f"an internal error of the operator ({type(error).__name__}): it changes nothing and"
        " retries; please report the traceback in its log",
    )


def profiles_unresolved(reason: str, message: str) -> Condition:
    return false("ProfilesResolved", reason, message)


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
        return unknown("SLOMet", "NotMeasured", f"the goal is {goal}")
    if ratio >= least:
        return true("SLOMet", "Met", f"{goal}, as measured at the router")
    return false("SLOMet", "Missed", f"fewer than, or only just, {goal}, as measured at the router")


def _error_budget_left(service: Service, budget: ErrorBudget) -> Condition:
    allowed = f"{100 - service.percentile:.4g} % of requests may miss the SLO"
    if budget.left is None:
        return unknown("ErrorBudgetLeft", "NotMeasured", f"{allowed}; less than an hour of data")
    if caution(budget.pressure) > 0:
        return false(
            "ErrorBudgetLeft",
            "Burning",
            f"{allowed}, and more were late or refused although the plan had the capacity: plans"
            " have a larger reserve and weigh accuracy less, until half an hour after that ends",
        )
    if budget.left <= 0:
        return false(
            "ErrorBudgetLeft",
            "Spent",
            f"{allowed}, and more did over the last hour: they failed, or arrived when the demand"
            " exceeded the plan, or may be chance; the reserve is unchanged",
        )
    return true("ErrorBudgetLeft", "Left", f"{allowed}, and fewer did")


def _ready(by_type: Mapping[str, Condition]) -> Condition:
    needs = [by_type[name] for name in READY_NEEDS if name in by_type]
    lacking = [c for c in needs if c.status is Status.FALSE] or [
        c for c in needs if c.status is Status.UNKNOWN
    ]
    if not lacking:
        return true("Ready", "Ready", "the service runs as planned")
    first = lacking[0]
    return Condition(type="Ready", status=first.status, reason=first.reason, message=first.message)


def _metrics_fresh(signals: Signals) -> Condition:
    if signals.unseen:
        return unknown("MetricsFresh", signals.unseen, "the load was not queried")
    if signals.data_error in _DATA_ERRORS:
        return false("MetricsFresh", signals.data_error, _DATA_ERRORS[signals.data_error])
    return true("MetricsFresh", "Fresh", "the load is known")


_DATA_ERRORS = {
    "NoData": "no load has been counted: does the router run, is it scraped, and does demand.query"
    " give data?",
    "StaleData": "the last count of the load is too old: is Prometheus still scraping the router,"
    " and do its clock and the operator's agree?",
    "InvalidData": "the counted load is no rate (NaN, infinite or negative): check demand.query",
    "PartialData": "none of the pods that serve is counted any more: is their /metrics scraped?",
    "QueryFailed": "Prometheus gave no answer, or none that can be read, as the operator's log"
    " says: is it reachable?",
    "QueryRefused": "Prometheus refuses the query, as the operator's log says in its words: is"
    " demand.query PromQL that it can answer?",
    "LoadError": "the load is not known",
}


def _plan_feasible(service: Service, signals: Signals) -> Condition:
    decision = signals.decision
    if signals.no_plan:
        return false("PlanFeasible", signals.unseen or "NoPlan", signals.no_plan)
    if decision is None:
        return unknown("PlanFeasible", "NoPlan", "nothing has been planned yet")
    if decision.plan.feasible:
        return true("PlanFeasible", "Feasible", "the plan serves the demand within the budget")
    return false(
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


def _fallback_active(signals: Signals) -> Condition:
    decision = signals.decision
    if signals.data_error and decision is not None:
        no_data = signals.data_error in _DATA_ERRORS
        why = "there is no fresh data" if no_data else "the solver gave no answer"
        return true("FallbackActive", signals.data_error, f"the last plan is kept: {why}")
    if decision is not None and decision.source is Source.GREEDY:
        return true(
            "FallbackActive", "Greedy", "the solver's time ran out before it proved the optimum"
        )
    return false("FallbackActive", "Planned", "the plan follows the load")


def _paused(mode: Mode) -> Condition:
    if mode is Mode.PAUSED:
        return true("Paused", "Paused", "mode is Paused: nothing is planned or changed")
    return false("Paused", str(mode), f"mode is {mode}")


def _conflict(signals: Signals) -> Condition:
    if signals.conflicts:
        return true("Conflict", "OwnedElsewhere", "; ".join(signals.conflicts))
    return false("Conflict", "None", "no other controller writes to these pods")
