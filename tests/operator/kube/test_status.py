import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.decision import Alternative, Decision, Source
from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    QuotaExceeded,
    StepRefused,
)
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import State
from infadapter_operator.domain.steps import RemovePods, SetWeights
from infadapter_operator.execute import Executed
from infadapter_operator.kube.events import build_event
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.report import Reporter, calm, condition_of
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Condition, Signals, Status, false, true
from infadapter_operator.reporting.conditions import conditions, with_ready
from infadapter_operator.reporting.events import events_between
from infadapter_operator.reporting.plan_status import decision_from, plan_status
from infadapter_operator.reporting.status import (
    KEPT_DECISIONS,
    price_per_core,
    status_of,
    without_service,
)
from infadapter_operator.reporting.variant_status import MAX_VARIANTS, blocks_from
from infadapter_solver import Binding
from infadapter_solver.problem import Objective, Plan, PodGroup, Target, Variant
from tests.operator.kube.fakes import OWNER, FakeApi, allocation

NOW_S = 1_800_000_000.25
SMALL, LARGE = allocation(1000, 10.0 / 3), allocation(2000, 20.0 / 3)
SERVICE = Service(
    namespace="vision",
    name="resnet",
    slo_s=0.75,
    percentile=99,
    variants=(
        Variant(name="r18", accuracy=0.7, load_time_s=2.0, allocations=(SMALL, LARGE)),
        Variant(name="r34", accuracy=0.8, load_time_s=2.0, allocations=(SMALL,)),
    ),
    max_surge={"cpu": 20_000},
    objective=Objective(budget={"cpu": 20_000}, prices={"cpu": 2.0}, loading_weight=0.001),
)


def decided(*groups: PodGroup, at_s: float = NOW_S, feasible: bool = True) -> Decision:
    return Decision(
        plan=Plan(
            groups=groups,
            served_rps={group.target: 1.5 for group in groups},
            accuracy=0.7,
            cost=4.0,
            cost_ratio=0.1,
            loading_s=2.0,
            objective=0.69 if feasible else None,
            feasible=feasible,
        ),
        decided_at_s=at_s,
        demand_rps=12.3456,
        source=Source.OPTIMAL,
        binding=Binding.DEMAND,
        why=("planned for 12.3 rps", "the demand binds"),
        rejected=(Alternative(variant="r34", objective=0.5, reason="costs more"),),
        expected_latency_s=0.2,
    )


def group(variant: str = "r18", pods: int = 2, size: object = LARGE) -> PodGroup:
    return PodGroup(target=Target(variant), allocation=size, pods=pods)  # type: ignore[arg-type]


def a_status(
    decision: Decision | None,
    previous: InferenceServiceStatus | None = None,
    *overrides: Condition,
    now_s: float = NOW_S,
    changed: bool = True,
    blocks: Mapping[Target, Block] | None = None,
) -> InferenceServiceStatus:
    found = with_ready(conditions(SERVICE, Signals(decision=decision, serving=True)), *overrides)
    return status_of(SERVICE, 3, decision, found, previous, now_s, changed=changed, blocks=blocks)


def read_back(status: InferenceServiceStatus) -> InferenceServiceStatus:
    """Return the status as read back from the API server's JSON."""
    body = json.dumps(status.model_dump(mode="json", exclude_none=True))
    return InferenceServiceStatus.model_validate_json(body)


@pytest.mark.parametrize(
    "decision",
    [decided(group(), group("r34", 1, SMALL)), decided(), decided(group(), feasible=False)],
)
def test_a_restart_reads_the_plan_back_as_it_was(decision: Decision) -> None:
    status = read_back(a_status(decision))
    restored = decision_from(SERVICE, status)
    assert restored is not None
    assert restored.plan.groups == decision.plan.groups, "to the last digit of the capacity"
    assert restored.plan.feasible is decision.plan.feasible
    assert restored.why == decision.why
    assert plan_status(restored) == status.plan


def test_a_size_that_the_profile_no_longer_has_is_still_known() -> None:
    status = a_status(decided(group(size=allocation(1234, 5.0))))
    restored = decision_from(SERVICE, status)
    assert restored is not None
    assert restored.plan.groups[0].allocation == allocation(1234, 5.0)


def test_no_status_is_no_decision() -> None:
    assert decision_from(SERVICE, None) is None
    assert decision_from(SERVICE, InferenceServiceStatus()) is None


def test_reasons_of_a_newer_operator_are_survived() -> None:
    status = a_status(decided(group()))
    assert status.plan is not None
    odd = status.plan.model_copy(update={"reason": "Dreamt", "binding_constraint": None})
    restored = decision_from(SERVICE, status.model_copy(update={"plan": odd}))
    assert restored is not None
    assert (restored.source, restored.binding) == (Source.OPTIMAL, Binding.NONE)


def test_the_same_plan_at_a_later_time_is_the_same_status() -> None:
    before = a_status(decided(group()))
    after = a_status(decided(group(), at_s=NOW_S + 30), before, now_s=NOW_S + 30, changed=False)
    assert after == before


def test_a_new_plan_is_first_in_a_short_history() -> None:
    status = None
    for number in range(KEPT_DECISIONS + 3):
        status = a_status(decided(group(pods=number + 1)), status)
    assert status is not None
    assert len(status.decisions) == KEPT_DECISIONS
    assert status.decisions[0].summary == "r18 13x2"


def test_a_condition_keeps_the_time_of_its_last_transition() -> None:
    before = a_status(decided(group()))
    later = a_status(decided(group()), before, now_s=NOW_S + 60, changed=False)
    assert later == before
    lost = Condition(type="Serving", status=Status.FALSE, reason="NoReadyBackend", message="")
    after = a_status(decided(group()), before, lost, now_s=NOW_S + 60)
    moved = {c.type for c in after.conditions} - {
        c.type for c in after.conditions if c in before.conditions
    }
    assert moved == {"Serving", "Ready"}


def test_a_wrong_spec_leaves_the_plan_known() -> None:
    before = a_status(decided(group()))
    found = with_ready(
        (), Condition(type="SpecValid", status=Status.FALSE, reason="Invalid", message="x")
    )
    after = without_service(4, found, before, NOW_S)
    assert after.plan == before.plan
    assert after.observed_generation == 4


def test_the_price_of_a_core_is_its_part_of_the_whole_budget() -> None:
    assert price_per_core(SERVICE) == pytest.approx(0.05 / 20)


# --- variants ----------------------------------------------------------------------------------


def a_block(variant: str = "r18", **changes: object) -> Block:
    given: dict[str, object] = {
        "digest": "abc",
        "cause": Cause.IMAGE,
        "message": "not found",
        "since_s": NOW_S,
        "until_s": NOW_S + 30.0,
        "created_s": NOW_S - 60.0,
        **changes,
    }
    return Block(target=Target(variant), **given)  # type: ignore[arg-type]


def with_blocks(
    *blocks: Block, previous: InferenceServiceStatus | None = None, now_s: float = NOW_S
) -> InferenceServiceStatus:
    held = {block.target: block for block in blocks}
    return a_status(decided(group()), previous, now_s=now_s, changed=False, blocks=held)


def told(status: InferenceServiceStatus) -> dict[str, tuple[str, str, str]]:
    found = {v.variant: v.conditions[0] for v in status.variants}
    return {name: (c.status, c.reason, c.message) for name, c in found.items()}


def test_every_variant_says_whether_its_pods_come() -> None:
    found = told(with_blocks(a_block()))
    assert found["r18"] == ("False", "ImageUnavailable", "not found")
    assert found["r34"][:2] == ("True", "Available")


def test_before_the_first_look_nobody_knows() -> None:
    assert {status for status, _, _ in told(a_status(decided(group()))).values()} == {"Unknown"}


def test_what_was_known_stays_known_while_nothing_is_looked_at() -> None:
    before = with_blocks(a_block())
    after = a_status(decided(group()), before, now_s=NOW_S + 60, changed=False)
    assert after.variants == before.variants


def test_a_restart_reads_back_what_did_not_come() -> None:
    block = a_block(attempts=3)
    status = read_back(with_blocks(block))
    restored = blocks_from(status)
    assert restored == {
        block.target: replace(
            block, since_s=int(NOW_S), until_s=int(NOW_S) + 30, created_s=int(NOW_S) - 60
        )
    }
    again = with_blocks(*restored.values(), previous=status, now_s=NOW_S + 20)
    assert again == status
    assert events_between(status, again) == ()


def test_a_back_off_beyond_the_last_year_ends_with_it() -> None:
    """Regression: a profile with loadSeconds in nanoseconds stopped the service's loop."""
    status = with_blocks(a_block(until_s=NOW_S + 1e12))
    (block,) = blocks_from(read_back(status)).values()
    assert datetime.fromtimestamp(block.until_s, UTC).year == 9999


def test_nothing_that_comes_is_read_back_as_a_block() -> None:
    assert blocks_from(None) == {}
    assert blocks_from(with_blocks(a_block(has_recovered=True))) == {}
    odd = json.dumps(with_blocks(a_block()).model_dump(mode="json", exclude_none=True))
    newer = odd.replace("ImageUnavailable", "SomethingNew")
    (block,) = blocks_from(InferenceServiceStatus.model_validate_json(newer)).values()
    assert block.cause is Cause.NOT_READY


def test_of_many_variants_those_that_do_not_come_are_told() -> None:
    variants = tuple(
        Variant(name=f"v{n:02}", accuracy=0.7, load_time_s=2.0, allocations=(SMALL,))
        for n in range(MAX_VARIANTS + 4)
    )
    last = a_block(variants[-1].name)
    service = replace(SERVICE, variants=variants)
    status = status_of(service, 3, None, (), None, NOW_S, changed=False, blocks={last.target: last})
    assert len(status.variants) == MAX_VARIANTS
    assert last.target.variant in told(status)


def test_a_variant_that_goes_and_comes_back_is_told_once_each() -> None:
    before = with_blocks()
    away = with_blocks(a_block(), previous=before, now_s=NOW_S + 60)
    (event,) = events_between(before, away)
    assert (event.reason, event.warning) == ("VariantUnavailable", True)
    assert event.message == "r18: not found"
    other = a_block(cause=Cause.CRASH, message="exit code 1", attempts=2)
    still = with_blocks(other, previous=away, now_s=NOW_S + 90)
    assert events_between(away, still) == ()
    assert still.variants[0].conditions[0].last_transition_time == (
        away.variants[0].conditions[0].last_transition_time
    )
    back = with_blocks(a_block(has_recovered=True), previous=still, now_s=NOW_S + 120)
    (event,) = events_between(still, back)
    assert (event.reason, event.warning) == ("VariantAvailable", False)


# --- events ------------------------------------------------------------------------------------


def serving_as(*conditions: Condition) -> list[str]:
    """Return the events of a service whose condition Serving takes these values in turn."""
    statuses = [without_service(1, (condition,), None, NOW_S) for condition in conditions]
    turns = zip((None, *statuses), statuses, strict=False)
    return [f"{e.reason}: {e.message}" for turn in turns for e in events_between(*turn)]


def test_that_nobody_serves_any_more_is_told_once_and_that_nobody_does_yet_is_not() -> None:
    starting = false("Serving", "NoReadyBackend", "requests are refused")
    serving = true("Serving", "BackendsReady", "")
    assert serving_as(starting, serving) == []
    lost = "NotServing: requests are refused"
    assert serving_as(serving, starting, starting) == [lost]


def test_a_router_that_does_not_come_is_told_before_anybody_serves() -> None:
    starting = false("Serving", "NoReadyBackend", "requests are refused")
    away = false("Serving", "ImageUnavailable", "no pod of the router comes")
    assert serving_as(starting, away, away) == ["NotServing: no pod of the router comes"]


def test_a_first_plan_is_told() -> None:
    assert [e.reason for e in events_between(None, a_status(decided(group())))] == ["Planned"]


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (decided(group("r34", 2, SMALL)), "VariantSwitched"),
        (decided(group(pods=3)), "ScaleUp"),
        (decided(group(pods=1)), "ScaleDown"),
    ],
)
def test_a_changed_plan_is_told_by_what_it_does(after: Decision, reason: str) -> None:
    before = a_status(decided(group()))
    assert [e.reason for e in events_between(before, a_status(after, before))] == [reason]


def test_what_goes_wrong_is_told_once() -> None:
    before = a_status(decided(group()))
    wrong = Condition(
        type="CapacityAvailable", status=Status.FALSE, reason="ResizeDeferred", message="no room"
    )
    during = a_status(decided(group()), before, wrong, changed=False)
    (event,) = events_between(before, during)
    assert (event.reason, event.message, event.warning) == ("ResizeDeferred", "no room", True)
    assert events_between(during, during) == ()
    assert events_between(during, before) == ()


def test_a_new_router_that_was_never_scraped_is_no_news() -> None:
    stale = Condition(type="MetricsFresh", status=Status.FALSE, reason="NoData", message="")
    first = a_status(decided(group()), None, stale)
    assert [e.reason for e in events_between(None, first)] == ["Planned"]


def test_an_event_names_the_service() -> None:
    (event,) = events_between(None, a_status(decided(group())))
    body = build_event(OWNER, event, "2026-01-01T00:00:00Z", "resnet.1")
    assert body["involvedObject"]["uid"] == OWNER.uid
    assert (body["type"], body["reason"]) == ("Normal", "Planned")


# --- reports -----------------------------------------------------------------------------------


async def test_what_is_equal_is_not_written() -> None:
    api = FakeApi()
    path = "/apis/infadapter.io/v1alpha1/namespaces/vision/inferenceservices/resnet"
    api.put(path, {})
    reporter = Reporter(api, OWNER, None)
    status = a_status(decided(group()))
    await reporter.report(status)
    assert api.writes[0][1] == f"{path}/status"
    api.writes.clear()
    await reporter.report(status)
    await Reporter(api, OWNER, read_back(status)).report(status)
    assert api.writes == []


@pytest.mark.parametrize(
    "error", [PlatformUnavailable("no answer"), ApiRefusal(404, "NotFound", "gone")]
)
async def test_what_could_not_be_written_is_written_later(error: Exception) -> None:
    api = FakeApi()
    reporter = Reporter(api, OWNER, None)
    api.refuse = lambda method, path: error
    await reporter.report(a_status(decided(group())))
    assert reporter.status is None


async def test_an_event_that_is_refused_is_not_told_at_every_cycle_nor_are_the_others() -> None:
    """
    A quota may refuse events. Regression: the status was written every second, with the events
    before the refused one. https://github.com/CleverCloud/clever-kubernetes-operator/pull/175
    """
    api = FakeApi()
    path = "/apis/infadapter.io/v1alpha1/namespaces/vision/inferenceservices/resnet"
    api.put(path, {})
    full = ApiRefusal(403, "Forbidden", 'events "resnet.1" is forbidden: exceeded quota')
    api.refuse = lambda method, at: full if at.endswith("/events") else None
    reporter = Reporter(api, OWNER, None)
    status = a_status(decided(group()))
    assert await reporter.report(status)
    assert await reporter.report(status)
    assert [at for _, at in api.writes] == [f"{path}/status"]


@pytest.mark.parametrize(
    ("refused", "kind", "status"),
    [
        (Conflict("x"), "Conflict", Status.TRUE),
        (QuotaExceeded("x"), "CapacityAvailable", Status.FALSE),
        (StepRefused("x"), "SpecValid", Status.FALSE),
    ],
)
def test_what_must_be_there_and_cannot_be_is_shown(
    refused: StepRefused, kind: str, status: Status
) -> None:
    condition = condition_of(refused)
    assert (condition.type, condition.status, condition.message) == (kind, status, "x")


def test_weights_that_follow_the_load_are_no_progress() -> None:
    found = conditions(SERVICE, Signals(decision=decided(group()), progressing=True))
    before = a_status(decided(group()))
    weights = SetWeights(backends=())
    done = Executed(steps=(weights,))
    seen = Cycle(service=SERVICE, now_s=NOW_S, state=State(), done=done)

    def progressing(cycle: Cycle) -> Status:
        return next(c.status for c in calm(cycle, found, before) if c.type == "Progressing")

    assert progressing(seen) is Status.FALSE
    assert progressing(replace(seen, plan_changed=True)) is Status.TRUE
    removal = RemovePods(target=Target("r18"), pods=("a",), remaining=0)
    assert progressing(replace(seen, done=Executed(steps=(weights, removal)))) is Status.TRUE
