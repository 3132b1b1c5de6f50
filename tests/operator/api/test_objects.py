import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infadapter_operator.api.condition import Condition, ConditionType
from infadapter_operator.api.objects import (
    InferenceService,
    InvalidObject,
    ObjectMeta,
    VariantProfile,
    parse_object,
    parse_profile,
    parse_service,
)
from infadapter_operator.api.plan import Decision, PlannedPods, PlanStatus, plan_summary
from infadapter_operator.api.profiles import (
    ProfileAllocation,
    ProfileCapacity,
    VariantProfileSpec,
)
from infadapter_operator.api.service import Forecast, Objective, Scaling
from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.service import ForecastMethod, Mode
from infadapter_profiles.quantities import decimal_text

CASES = runpy.run_path(str(Path(__file__).with_name("api_cases.py")))
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def example(kind: str, case: dict[str, Any] | None = None) -> Any:
    return parse_object(CASES["changed"](kind, case or {}))


@pytest.mark.parametrize("case", CASES["REFUSED"], ids=lambda case: case.name)
def test_refuses(case: Any) -> None:
    with pytest.raises(InvalidObject) as refused:
        parse_object(case.document)
    assert case.field in str(refused.value)
    assert case.says in str(refused.value)
    assert not any("\n" in problem for problem in refused.value.problems)


@pytest.mark.parametrize("case", CASES["ACCEPTED"], ids=lambda case: case.name)
def test_accepts_and_writes_back_what_it_read(case: Any) -> None:
    body = parse_object(case.document).as_body()
    assert parse_object(body).as_body() == body


def test_the_example_is_numbers_in_the_solver_s_units() -> None:
    service = example("InferenceService")
    assert isinstance(service, InferenceService)
    assert service.spec.budget_amounts == {"cpu": 20_000}
    assert service.spec.max_surge_amounts == {"cpu": 20_000}
    assert service.spec.prices == {"cpu": 1.0}
    assert service.spec.objective.cost_weight == 0.05
    assert service.spec.forecast.method is ForecastMethod.AUTO
    assert service.spec.mode is Mode.AUTO
    profile = example("VariantProfile")
    assert isinstance(profile, VariantProfile)
    assert profile.spec.accuracy == 0.78312
    (allocation,) = profile.spec.as_profile("v").allocations
    assert allocation.resources == {"cpu": 4000}
    assert allocation.points[0].latency_s == {50.0: 0.21, 99.0: 0.32}


def test_what_is_left_out_has_its_default() -> None:
    least = {"remove": ["/spec/objective", "/spec/prices", "/spec/forecast", "/spec/scaling"]}
    spec = example("InferenceService", least).spec
    assert spec.objective == Objective(accuracy_weight=1.0, cost_weight=0.05, loading_weight=0.001)
    assert spec.forecast == Forecast(quantile=0.95, horizon_seconds=60)
    assert spec.scaling == Scaling(
        interval_seconds=5, scale_down_stabilization_seconds=20, min_replicas=1
    )
    assert spec.prices == {"cpu": 1.0}


def test_a_zone_that_nobody_knows_is_refused_by_the_operator_alone() -> None:
    """The API server only checks its form, since its time zone database may differ."""
    with pytest.raises(InvalidObject) as refused:
        example("InferenceService", {"set": {"/spec/forecast": {"timeZone": "Europe/Atlantis"}}})
    assert refused.value.problems == [
        'spec.forecast.timeZone: "Europe/Atlantis" is no time zone of the IANA database that the'
        " operator has: write one such as Europe/Berlin",
    ]


def test_the_server_is_the_only_container_and_its_first_port() -> None:
    template, existing = example("InferenceService").spec.variants
    assert template.server is not None
    assert (template.server.name, template.server_port) == ("server", 8080)
    assert (existing.server, existing.server_port) == (None, None)


def test_the_server_is_the_container_and_port_that_are_named() -> None:
    containers = [{"name": "proxy", "ports": [{"containerPort": 1}]}, {"name": "server"}]
    pointer = "/spec/variants/0"
    variant = example(
        "InferenceService",
        {
            "set": {
                f"{pointer}/container": "server",
                f"{pointer}/port": 9000,
                f"{pointer}/template/spec/containers": containers,
            }
        },
    ).spec.variants[0]
    assert variant.server is not None
    assert (variant.server.name, variant.server_port) == ("server", 9000)


def test_a_template_goes_through_unchanged() -> None:
    service = example("InferenceService")
    written = CASES["EXAMPLE"]["InferenceService"]["spec"]["variants"][0]["template"]
    assert service.spec.variants[0].template.as_body() == written


def test_every_problem_is_told_at_once() -> None:
    broken = {"set": {"/spec/mode": "Turbo", "/spec/budget/cpu": "-1", "/spec/slo": {}}}
    with pytest.raises(InvalidObject) as refused:
        example("InferenceService", broken)
    assert len(refused.value.problems) == 3


@pytest.mark.parametrize("document", [None, [], "text", {}, {"kind": "Pod"}, {"kind": ["x"]}])
def test_other_documents_are_refused_by_kind(document: object) -> None:
    with pytest.raises(InvalidObject, match="kind: must be"):
        parse_object(document)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(number: float) -> None:
    with pytest.raises(InvalidObject, match="NaN"):
        example("InferenceService", {"set": {"/spec/slo/percentile": number}})


def test_a_document_that_holds_itself_is_refused() -> None:
    document = dict(CASES["EXAMPLE"]["InferenceService"])
    document["spec"] = document
    with pytest.raises(InvalidObject, match="itself"):
        parse_service(document)


def test_another_kind_is_refused() -> None:
    with pytest.raises(InvalidObject, match="kind"):
        parse_profile(CASES["EXAMPLE"]["InferenceService"])


def test_models_never_change() -> None:
    with pytest.raises(ValidationError):
        example("InferenceService").spec.slo.percentile = 50.0


def test_the_profiler_can_build_a_profile_from_numbers() -> None:
    profile = VariantProfile(
        metadata=ObjectMeta(name="tiny-cpu"),
        spec=VariantProfileSpec(
            accuracy=0.1 + 0.2,
            load_seconds=1e-5,
            allocations=(
                ProfileAllocation(
                    resources={"cpu": "500m"},
                    capacity=(ProfileCapacity(latency_milliseconds=50, percentile=99, rps=7.25),),
                ),
            ),
        ),
    )
    spec = profile.as_body()["spec"]
    assert (spec["accuracy"], spec["loadSeconds"]) == ("0.3", "0.00001")
    assert parse_profile(profile.as_body()).spec.allocations == profile.spec.allocations


def status() -> InferenceServiceStatus:
    planned = PlannedPods(
        variant="resnet50",
        kind="nvidia.com/gpu",
        resources={"cpu": "500m", "nvidia.com/gpu": "1"},
        batch_size=8,
        pods=2,
        capacity_rps=120.5,
        served_rps=200.0,
    )
    plan = PlanStatus(
        planned_at=NOON,
        feasible=True,
        demand_rps=200.0,
        accuracy=0.7613,
        cost=25.0,
        objective=-0.05,
        reason="DemandRose",
        allocations=(planned,),
        summary=plan_summary([planned]),
        pods=2,
    )
    ready = Condition(
        type=ConditionType.READY, status="True", reason="Serving", last_transition_time=NOON
    )
    return InferenceServiceStatus(
        observed_generation=3,
        effective_price_per_core=0.0025,
        plan=plan,
        conditions=(ready,),
        decisions=(
            Decision(at=NOON, reason="DemandRose", demand_rps=200.0, accuracy=0.7613, cost=25.0),
        ),
    )


def with_status(body: object) -> InferenceService:
    return parse_service({**CASES["EXAMPLE"]["InferenceService"], "status": body})


def test_a_plan_is_read_back_as_it_was_written() -> None:
    read = with_status(status().as_body()).status
    assert read == status()
    assert read is not None
    assert read.plan is not None
    assert read.plan.allocations[0].amounts == {"cpu": 500, "nvidia.com/gpu": 1}
    assert read.plan.summary == "resnet50 2x500m on nvidia.com/gpu"


def test_times_are_written_as_kubernetes_writes_them() -> None:
    assert status().as_body()["plan"]["plannedAt"] == "2026-11-22T12:00:00Z"


def test_a_status_of_a_newer_operator_keeps_its_plan() -> None:
    body = status().as_body()
    body["plan"]["mood"] = "fine"
    assert with_status(body).status == status()


def test_a_status_that_cannot_be_read_is_no_plan() -> None:
    assert with_status({"plan": {"pods": "many"}}).status is None


def test_a_long_sentence_does_not_cost_the_status_write() -> None:
    condition = Condition(
        type="Ready", status="False", reason="X", message="a" * 9999, last_transition_time=NOON
    )
    assert len(condition.message) == 1024


@given(st.floats(min_value=0, max_value=1e11))
def test_decimals_survive_being_written(number: float) -> None:
    objective = Objective(cost_weight=number)
    read = Objective.model_validate_json(objective.model_dump_json())
    assert read.cost_weight == pytest.approx(number, rel=1e-12, abs=1e-12)
    assert len(decimal_text(number)) <= 26
