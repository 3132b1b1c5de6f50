"""The error budget in status, conditions, events and metrics."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from infadapter_operator.api.status import ErrorBudgetStatus, InferenceServiceStatus
from infadapter_operator.domain.error_budget import Answers, ErrorBudget
from infadapter_operator.domain.observed import Observed
from infadapter_operator.planning.warming import warming
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Condition, Signals, Status
from infadapter_operator.reporting.conditions import conditions
from infadapter_operator.reporting.events import events_between
from infadapter_operator.reporting.metrics import Metrics
from infadapter_operator.reporting.signals import conditions_of
from infadapter_operator.reporting.status import budget_status, status_of
from tests.builders import a_service
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import World

SERVICE = a_service(percentile=99.5)
DECISION = warming(SERVICE, Observed(), 0.0)
LABELS = {"namespace": "vision", "service": "resnet"}
NEUTRAL, LEFT = ErrorBudget(), ErrorBudget(left=0.4)
BURNING, SPENT = ErrorBudget(left=-0.2, pressure=0.3), ErrorBudget(left=-0.2)
ENDING, ENDED = ErrorBudget(left=0.9, pressure=0.2), ErrorBudget(left=0.9, pressure=0.01)


def told(budget: ErrorBudget) -> Condition:
    found = conditions(SERVICE, Signals(decision=DECISION, serving=True, error_budget=budget))
    return next(c for c in found if c.type == "ErrorBudgetLeft")


@pytest.mark.parametrize(
    ("budget", "status", "reason"),
    [
        (NEUTRAL, Status.UNKNOWN, "NotMeasured"),
        (LEFT, Status.TRUE, "Left"),
        (BURNING, Status.FALSE, "Burning"),
        (ENDING, Status.FALSE, "Burning"),
        (ENDED, Status.TRUE, "Left"),
        (SPENT, Status.FALSE, "Spent"),
    ],
)
def test_the_condition_says_what_is_left_and_what_is_done(
    budget: ErrorBudget, status: Status, reason: str
) -> None:
    found = told(budget)
    assert (found.status, found.reason) == (status, reason)
    assert found.message.startswith("0.5 % of requests may miss the SLO")


def test_a_message_holds_no_number_that_changes_at_every_cycle() -> None:
    assert told(BURNING) == told(replace(BURNING, left=-0.21, pressure=0.31))
    assert told(LEFT) == told(replace(LEFT, left=0.41))


# --- status and events --------------------------------------------------------------------------


def status(
    budget: ErrorBudget, before: InferenceServiceStatus | None = None
) -> InferenceServiceStatus:
    found = conditions(SERVICE, Signals(decision=DECISION, serving=True, error_budget=budget))
    return status_of(SERVICE, 1, DECISION, found, before, 100.0, changed=False, error_budget=budget)


def test_the_status_has_it_while_it_is_measured() -> None:
    assert status(NEUTRAL).error_budget is None
    assert status(LEFT).error_budget == ErrorBudgetStatus(left=0.4, reserve_factor=1.0)
    written = status(BURNING).model_dump_json(by_alias=True)
    assert InferenceServiceStatus.model_validate_json(written) == status(BURNING)


def test_the_status_is_written_again_only_when_a_tenth_has_gone() -> None:
    first = budget_status(LEFT, None)
    assert budget_status(replace(LEFT, left=0.36), first) is first
    assert budget_status(replace(LEFT, left=0.31), first) is first
    moved = budget_status(replace(LEFT, left=0.299), first)
    assert moved == ErrorBudgetStatus(left=0.3, reserve_factor=1.0)
    assert budget_status(replace(LEFT, pressure=0.2), first) != first
    assert budget_status(NEUTRAL, first) is None


def test_an_event_tells_once_that_it_burns() -> None:
    calm = status(LEFT)
    burning = status(BURNING, calm)
    reasons = [event.reason for event in events_between(calm, burning)]
    assert reasons == ["ErrorBudgetBurning"]
    assert events_between(burning, status(replace(BURNING, pressure=0.9), burning)) == ()
    assert events_between(burning, status(LEFT, burning)) == ()


# --- metrics ------------------------------------------------------------------------------------


async def a_cycle() -> Cycle:
    return await Runner(world=World(service=a_service(), load=lambda _: 12.0)).look()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"infadapter_slo_{name}", {**LABELS, **labels})


async def test_metrics_say_what_is_left_and_nothing_while_it_is_neutral() -> None:
    metrics, seen = Metrics(registry := CollectorRegistry()), await a_cycle()

    def record(budget: ErrorBudget) -> None:
        cycle = replace(seen, state=replace(seen.state, error_budget=budget))
        metrics.record(cycle, conditions_of(cycle))

    record(NEUTRAL)
    assert value(registry, "error_budget_ratio") is None
    assert value(registry, "reserve_factor") == 1.0
    assert value(registry, "allowed_miss_ratio") == pytest.approx(0.01)
    record(BURNING)
    assert value(registry, "error_budget_ratio") == -0.2
    assert (value(registry, "reserve_factor") or 0.0) > 1.0
    record(NEUTRAL)
    assert value(registry, "error_budget_ratio") is None
    metrics.forget("vision", "resnet")
    assert value(registry, "allowed_miss_ratio") is None


async def test_each_interval_is_counted_once_when_its_counts_do_not_change_any_more() -> None:
    metrics, seen = Metrics(registry := CollectorRegistry()), await a_cycle()
    assert seen.situation is not None
    now_s = seen.now_s

    def record(at_s: float, *ends_s: float) -> list[float | None]:
        assert seen.situation is not None
        answers = tuple(Answers(end_s, 15.0, 10.0, 3.0, 2.0, 1.0) for end_s in ends_s)
        situation = replace(seen.situation, answers=answers)
        cycle = replace(seen, now_s=at_s, situation=situation)
        metrics.record(cycle, conditions_of(cycle))
        outcomes = ("in_time", "late", "refused", "failed")
        return [value(registry, "answers_total", outcome=outcome) for outcome in outcomes]

    before = (now_s - 90.0, now_s - 60.0)  # before this process started
    assert record(now_s, *before, now_s - 15.0) == [None] * 4
    assert record(now_s + 40.0, *before, now_s - 15.0) == [None] * 4
    assert record(now_s + 45.0, *before, now_s - 15.0) == [10.0, 3.0, 2.0, 1.0]
    assert record(now_s + 55.0, *before, now_s - 15.0, now_s) == [10.0, 3.0, 2.0, 1.0]
    assert record(now_s + 60.0, *before, now_s - 15.0, now_s) == [20.0, 6.0, 4.0, 2.0]
