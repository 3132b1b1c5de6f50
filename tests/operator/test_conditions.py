from itertools import chain

import pytest

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.load import LoadError
from infadapter_operator.domain.observed import Cause, Observed
from infadapter_operator.domain.progress import Block, Phase, Progress, Rest
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.domain.situation import Failure, State
from infadapter_operator.planning.warming import warming
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Condition, Signals, Status
from infadapter_operator.reporting.conditions import (
    READY_NEEDS,
    TYPES,
    conditions,
    profiles_unresolved,
    slo_met,
    spec_invalid,
    unparsed,
    with_ready,
)
from infadapter_operator.reporting.sentences import WHAT_TO_DO
from infadapter_operator.reporting.signals import conditions_of
from infadapter_solver.problem import Target
from tests.builders import EMPTY_PLAN, a_service

SERVICE = a_service()
DECISION = warming(SERVICE, Observed(), 0.0)
FINE = Signals(decision=DECISION, serving=True)


def by_type(found: tuple[Condition, ...]) -> dict[str, Condition]:
    assert [c.type for c in found] == list(TYPES)
    return {condition.type: condition for condition in found}


def seen(signals: Signals, service: Service = SERVICE) -> dict[str, Condition]:
    return by_type(conditions(service, signals))


def data_errors(kind: type[LoadError]) -> list[type[LoadError]]:
    return [kind, *chain.from_iterable(map(data_errors, kind.__subclasses__()))]


def an_infeasible(demand_rps: float) -> Decision:
    return Decision(plan=EMPTY_PLAN, decided_at_s=0.0, demand_rps=demand_rps)


def test_a_problem_that_the_solver_refuses_is_told_in_its_words() -> None:
    """E.g. a budget of 1P cores. Regression: Ready was Unknown, with the reason only in the log."""
    failure = Failure("InvalidProblem", "the budget of cpu must be at most 1e+18, was 2e+18")
    found = by_type(
        conditions_of(Cycle(service=SERVICE, now_s=0.0, state=State(), failure=failure))
    )
    for name in ("PlanFeasible", "Ready"):
        assert found[name].status is Status.FALSE
        assert (found[name].reason, found[name].message) == (failure.reason, failure.message)
    away = Failure("PlatformUnavailable", "the API server did not answer: port 51234")
    found = by_type(conditions_of(Cycle(service=SERVICE, now_s=0.0, state=State(), failure=away)))
    assert "51234" not in str(found)


def test_all_is_well() -> None:
    found = seen(FINE)
    assert found["Ready"].status is Status.TRUE
    assert {found[name].status for name in READY_NEEDS} == {Status.TRUE}
    for name in ("Progressing", "FallbackActive", "Paused", "Conflict"):
        assert found[name].status is Status.FALSE


@pytest.mark.parametrize(
    ("signals", "name", "reason"),
    [
        (Signals(decision=DECISION), "Serving", "NoReadyBackend"),
        (Signals(decision=DECISION, serving=True, data_error="NoData"), "MetricsFresh", "NoData"),
        (
            Signals(decision=an_infeasible(50.0), serving=True),
            "PlanFeasible",
            "DemandExceedsBudget",
        ),
    ],
)
def test_ready_says_what_is_lacking(signals: Signals, name: str, reason: str) -> None:
    found = seen(signals)
    assert found[name].status is Status.FALSE
    assert (found["Ready"].status, found["Ready"].reason) == (Status.FALSE, reason)
    assert found["Ready"].message == found[name].message


def test_a_body_that_does_not_answer_leaves_all_unknown() -> None:
    found = seen(Signals(decision=DECISION, unseen="PlatformUnavailable"))
    assert found["Ready"].status is Status.UNKNOWN
    assert found["Serving"].status is Status.UNKNOWN


@pytest.mark.parametrize("reason", [kind.reason for kind in data_errors(LoadError)[1:]])
def test_every_kind_of_missing_data_holds_the_plan_and_says_what_to_do(reason: str) -> None:
    found = seen(Signals(decision=DECISION, serving=True, data_error=reason))
    assert found["MetricsFresh"].reason == reason
    assert found["MetricsFresh"].message.endswith(("?", "demand.query"))
    assert found["FallbackActive"].status is Status.TRUE


def test_a_solver_that_fails_holds_the_plan_and_leaves_the_metrics_fresh() -> None:
    found = seen(Signals(decision=DECISION, serving=True, data_error="SolverFailed"))
    assert found["MetricsFresh"].status is Status.TRUE
    assert found["FallbackActive"].reason == "SolverFailed"


def test_a_greedy_plan_is_a_fallback() -> None:
    greedy = Decision(plan=DECISION.plan, decided_at_s=0.0, demand_rps=1.0, source=Source.GREEDY)
    assert seen(Signals(decision=greedy))["FallbackActive"].reason == "Greedy"


def test_shortages_are_told_once_each() -> None:
    twice = (("Unschedulable", "no node has room"), ("Unschedulable", "no node has room"))
    found = seen(Signals(decision=DECISION, shortages=twice))["CapacityAvailable"]
    assert (found.status, found.message) == (Status.FALSE, "no node has room")


def test_conflicts_are_told() -> None:
    found = seen(Signals(decision=DECISION, conflicts=("an HPA scales it",)))["Conflict"]
    assert (found.status, found.message) == (Status.TRUE, "an HPA scales it")


def test_modes_are_told() -> None:
    assert seen(FINE, a_service(mode=Mode.PAUSED))["Paused"].status is Status.TRUE
    assert seen(FINE, a_service(mode=Mode.RECOMMEND))["Progressing"].reason == "Recommend"


@pytest.mark.parametrize(
    ("ratio", "status"), [(None, Status.UNKNOWN), (0.995, Status.TRUE), (0.9, Status.FALSE)]
)
def test_the_slo_is_met_or_not_or_not_measured(ratio: float | None, status: Status) -> None:
    found = with_ready(conditions(SERVICE, FINE), slo_met(SERVICE, ratio))
    assert by_type(found)["SLOMet"].status is status


def test_a_missed_slo_is_met_again_only_with_room() -> None:
    """Hysteresis: at percentile 99 the condition must not flap at a ratio of about 0.99."""
    assert slo_met(SERVICE, 0.9901).status is Status.TRUE
    assert slo_met(SERVICE, 0.9899).status is Status.FALSE
    assert slo_met(SERVICE, 0.9901, was_missed=True).status is Status.FALSE
    assert slo_met(SERVICE, 0.9925, was_missed=True).status is Status.TRUE


def test_messages_do_not_follow_the_noise_of_the_demand() -> None:
    some, other = (seen(Signals(decision=an_infeasible(rps))) for rps in (52.1, 52.4))
    assert some == other


def test_no_message_is_empty() -> None:
    assert all(condition.message and condition.reason for condition in seen(FINE).values())


def test_a_spec_that_can_not_be_read_leaves_the_rest_unknown() -> None:
    found = by_type(unparsed(spec_invalid("variants[0]: no port")))
    assert found["SpecValid"].status is Status.FALSE
    assert (found["Ready"].status, found["Ready"].message) == (
        Status.FALSE,
        "variants[0]: no port",
    )
    assert found["ProfilesResolved"].status is Status.UNKNOWN


def test_a_profile_that_is_missing_leaves_the_spec_valid() -> None:
    found = by_type(unparsed(profiles_unresolved("ProfileMissing", "create it")))
    assert found["SpecValid"].status is Status.TRUE
    assert found["Ready"].reason == "ProfileMissing"


def test_what_a_later_stage_finds_out_replaces_what_the_look_assumed() -> None:
    problem = spec_invalid("the template was refused")
    found = by_type(with_ready(conditions(SERVICE, FINE), problem))
    assert found["SpecValid"] == problem
    assert found["Ready"].status is Status.FALSE


# --- failing starts, and the progress of the rollout --------------------------------------------


def a_block(variant: str, cause: Cause, message: str, **changes: object) -> Block:
    given = {"digest": "d", "since_s": 0.0, "until_s": 30.0, **changes}
    return Block(target=Target(variant), cause=cause, message=message, **given)  # type: ignore[arg-type]


def blocked(*blocks: Block) -> Condition:
    held = {block.target: block for block in blocks}
    found = seen(Signals(decision=DECISION, serving=True, blocks=held))
    assert found["Ready"].status is Status.TRUE, (
        "what is planned without is no reason to be unready"
    )
    return found["VariantsAvailable"]


def test_all_variants_come_where_none_is_left() -> None:
    assert (blocked().status, blocked().reason) == (Status.TRUE, "Available")


def test_what_does_not_come_is_named_with_the_platforms_words() -> None:
    found = blocked(
        a_block("small", Cause.IMAGE, "no such image"),
        a_block("large", Cause.IMAGE, "no such image either"),
    )
    assert (found.status, found.reason) == (Status.FALSE, "ImageUnavailable")
    assert found.message == "large: no such image either; small: no such image"


def test_several_causes_have_one_reason() -> None:
    found = blocked(a_block("small", Cause.IMAGE, "x"), a_block("large", Cause.CRASH, "y"))
    assert found.reason == "StartFailed"


def test_what_has_come_meanwhile_is_available_though_its_back_off_is_known() -> None:
    assert blocked(a_block("small", Cause.CRASH, "x", has_recovered=True)).status is Status.TRUE


def at(phase: Phase, **changes: object) -> Condition:
    progress = Progress(phase=phase, ready=1, wanted=3, **changes)  # type: ignore[arg-type]
    return seen(Signals(decision=DECISION, progress=progress))["Progressing"]


def test_a_rollout_says_what_it_waits_for_and_until_when() -> None:
    """In absolute time and whole seconds, so that the message is the same in each cycle."""
    found = at(Phase.STARTING, waits_for="small (2) to be Ready", deadline_s=1_800_000_059.2)
    assert (found.status, found.reason) == (Status.TRUE, "Starting")
    assert found.message == (
        "1 of 3 planned pods are Ready; waits for small (2) to be Ready;"
        " at 2027-01-15T08:01:00Z a new plan is made without the missing pods"
    )


@pytest.mark.parametrize("phase", [p for p in Phase if p is not Phase.DONE])
def test_every_phase_is_progress(phase: Phase) -> None:
    assert (at(phase).status, at(phase).reason) == (Status.TRUE, phase.value)


@pytest.mark.parametrize("rest", list(Rest))
@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.DONE])
def test_every_rest_is_named_and_says_what_to_do(rest: Rest, phase: Phase) -> None:
    found = at(phase, rest=rest)
    assert (found.status, found.reason) == (Status.FALSE, rest.value)
    assert WHAT_TO_DO[rest] in found.message


def test_a_plan_that_is_reached_is_no_progress() -> None:
    assert (at(Phase.DONE).status, at(Phase.DONE).reason) == (Status.FALSE, "AsPlanned")


def test_a_body_that_does_not_answer_says_nothing_of_variants() -> None:
    found = seen(Signals(decision=DECISION, unseen="PlatformUnavailable"))
    assert found["VariantsAvailable"].status is Status.UNKNOWN
    assert found["Progressing"].status is Status.UNKNOWN


def test_a_profile_that_promises_too_much_is_named_and_stops_nothing() -> None:
    ratios = {Target("small"): 0.7, Target("middle"): 0.9}
    found = seen(Signals(decision=None, ratios=ratios))
    told = found["CapacityAsProfiled"]
    assert (told.status, told.reason) == (Status.FALSE, "LessDelivered")
    assert told.message.endswith("profile them again: small")
    fine = seen(Signals(decision=None, ratios={Target("small"): 1.05}))
    assert fine["CapacityAsProfiled"].status is Status.TRUE
