from collections.abc import Mapping
from typing import Any

import pytest

from infadapter_operator.api.objects import (
    InvalidObject,
    VariantProfile,
    parse_profile,
    parse_service,
)
from infadapter_operator.api.profiles import VariantProfileSpec
from infadapter_operator.domain.service import Calendar, ForecastMethod, Mode, Season, Service
from infadapter_operator.planning.parse import (
    ProfileMissing,
    ProfilesUnresolved,
    ProfileUnfit,
    service_from,
)
from infadapter_profiles.offered import FINEST_MILLICORES, MOST_SIZES, grid_millicores
from infadapter_solver.problem import CPU

Json = dict[str, Any]


def a_document(**changes: object) -> Json:
    """Return an InferenceService with one variant."""
    container = {"name": "server", "image": "x:1", "ports": [{"containerPort": 8080}]}
    spec: Json = {
        "slo": {"latencyMilliseconds": 750, "percentile": 99},
        "budget": {"cpu": "20"},
        "variants": [
            {
                "name": "resnet18",
                "profileRef": {"name": "resnet18-cpu"},
                "template": {"spec": {"containers": [container]}},
            }
        ],
        **changes,
    }
    return {
        "apiVersion": "infadapter.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "resnet", "namespace": "vision"},
        "spec": spec,
    }


def an_allocation(cpu: str, fast_until_rps: int, **resources: object) -> Json:
    return {
        "resources": {"cpu": cpu, **resources},
        "points": [
            {"rps": "1", "latencyMilliseconds": {"50": 100, "99": 200}},
            {"rps": str(fast_until_rps), "latencyMilliseconds": {"50": 300, "99": 750}},
            {"rps": str(2 * fast_until_rps), "latencyMilliseconds": {"50": 900, "99": 3000}},
        ],
    }


def a_profile(*allocations: Json) -> VariantProfileSpec:
    found: VariantProfile = parse_profile(
        {
            "apiVersion": "infadapter.io/v1alpha1",
            "kind": "VariantProfile",
            "metadata": {"name": "resnet18-cpu", "namespace": "vision"},
            "spec": {
                "accuracy": "0.69758",
                "loadSeconds": "3.5",
                "allocations": list(allocations)
                or [an_allocation("1", 10), an_allocation("4", 40)],
            },
        }
    )
    return found.spec


def parsed(
    document: Json | None = None, profiles: Mapping[str, VariantProfileSpec] | None = None
) -> Service:
    known = {"resnet18-cpu": a_profile()} if profiles is None else profiles
    spec = parse_service(document or a_document()).spec
    return service_from(spec, known, "vision", "resnet")


def test_numbers_are_in_one_unit() -> None:
    service = parsed()
    assert (service.namespace, service.name) == ("vision", "resnet")
    assert (service.slo_s, service.percentile) == (0.75, 99)
    assert service.budget == {CPU: 20_000}
    (variant,) = service.variants
    assert (variant.accuracy, variant.load_time_s) == (0.69758, 3.5)


def test_what_is_absent_has_the_documented_defaults() -> None:
    service = parsed()
    assert service.max_surge == service.budget
    assert (
        service.objective.accuracy_weight,
        service.objective.cost_weight,
        service.objective.loading_weight,
    ) == (
        1.0,
        0.05,
        0.001,
    )
    assert (service.interval_s, service.stabilization_s, service.horizon_s) == (5.0, 20.0, 60.0)
    assert (service.quantile, service.forecast) == (0.95, ForecastMethod.AUTO)
    assert (service.min_replicas, service.minimum_rps, service.mode) == (1, 0.0, Mode.AUTO)


def test_what_is_given_is_taken() -> None:
    document = a_document(
        scaling={"maxSurge": {"cpu": "500m"}, "minReplicas": 3, "intervalSeconds": 5},
        demand={"minimumRps": "12.5"},
        mode="Recommend",
        objective={"costWeight": "0.2"},
    )
    service = parsed(document)
    assert service.max_surge == {CPU: 500}
    assert (service.min_replicas, service.interval_s) == (3, 5.0)
    assert (service.minimum_rps, service.mode, service.objective.cost_weight) == (
        12.5,
        Mode.RECOMMEND,
        0.2,
    )


def test_sizes_between_the_measured_ones_are_offered() -> None:
    (variant,) = parsed().variants
    by_size = {a.cpu_millicores: a.capacity_rps for a in variant.allocations}
    assert set(by_size) == set(range(1000, 4001, 100))
    assert by_size[2500] == pytest.approx(25.0)


def test_wide_profiles_get_a_coarser_grid() -> None:
    wide = a_profile(an_allocation("1", 10), an_allocation("64", 600)).as_profile("v")
    step = grid_millicores(wide)
    assert step % FINEST_MILLICORES == 0
    assert 63_000 / step <= MOST_SIZES


def test_a_profile_of_one_size_offers_that_size() -> None:
    (variant,) = parsed(profiles={"resnet18-cpu": a_profile(an_allocation("2", 20))}).variants
    assert [a.cpu_millicores for a in variant.allocations] == [2000]


def test_a_missing_profile_is_named() -> None:
    with pytest.raises(ProfileMissing, match="resnet18 names VariantProfile resnet18-cpu: create"):
        parsed(profiles={})


def test_a_percentile_that_was_not_measured_is_named_with_those_that_were() -> None:
    document = a_document(slo={"latencyMilliseconds": 750, "percentile": 95})
    with pytest.raises(ProfileUnfit, match=r"resnet18-cpu: .*95.*50, 99"):
        parsed(document)


def test_a_budget_below_the_smallest_allocation_shows_both_numbers() -> None:
    document = a_document(budget={"cpu": "750m"})
    with pytest.raises(ProfileUnfit, match=r"cpu=750m.*cpu=1\b"):
        parsed(document)


def test_a_profile_on_a_resource_that_the_budget_lacks_shows_both() -> None:
    only_gpu = a_profile(an_allocation("1", 10, **{"nvidia.com/gpu": 1}))
    with pytest.raises(ProfileUnfit, match=r"cpu=20\).*nvidia.com/gpu=1"):
        parsed(profiles={"resnet18-cpu": only_gpu})


def test_a_size_that_was_measured_twice_is_named() -> None:
    twice = a_profile(an_allocation("1", 10), an_allocation("1000m", 12))
    with pytest.raises(
        ProfileUnfit,
        match=r"resnet18-cpu: there are two allocations of cpu=1, batch size 1: keep one",
    ):
        parsed(profiles={"resnet18-cpu": twice})


def test_an_slo_that_nothing_meets_is_told() -> None:
    document = a_document(slo={"latencyMilliseconds": 5, "percentile": 99})
    with pytest.raises(ProfileUnfit, match="no variant serves anything within 5 ms"):
        parsed(document)


def test_every_error_has_a_reason_for_its_condition() -> None:
    assert {error.reason for error in (ProfileMissing, ProfileUnfit)} == {
        "ProfileMissing",
        "ProfileUnfit",
    }
    assert issubclass(ProfileUnfit, ProfilesUnresolved)


def test_the_calendar_is_the_spec_s() -> None:
    forecast = {"method": "SeasonalNaive", "season": "Day", "timeZone": "Australia/Lord_Howe"}
    spec = parse_service(a_document(forecast=forecast)).spec
    profiles = {"resnet18-cpu": a_profile(an_allocation("1", 20))}
    service = service_from(spec, profiles, "vision", "resnet")
    assert service.calendar == Calendar(season=Season.DAY, zone="Australia/Lord_Howe")
    plain = service_from(parse_service(a_document()).spec, profiles, "vision", "resnet")
    assert plain.calendar == Calendar(season=Season.WEEK, zone="UTC")


# --- operating points and the accuracy floor -----------------------------------------------------


NEVER: Json = {
    "resources": {"cpu": "1"},
    "capacity": [{"latencyMilliseconds": 750, "percentile": 99, "rps": "0"}],
}


def with_points(*rows: tuple[str, str, int]) -> VariantProfileSpec:
    """Return a profile with points fast and good. Rows: cpu, point, rate; 0: never in time."""
    accuracy = {"fast": "0.6", "good": "0.8"}
    found: VariantProfile = parse_profile(
        {
            "apiVersion": "infadapter.io/v1alpha1",
            "kind": "VariantProfile",
            "metadata": {"name": "resnet18-cpu", "namespace": "vision"},
            "spec": {
                "accuracy": "0.8",
                "loadSeconds": "3.5",
                "operatingPoints": [{"name": n, "accuracy": a} for n, a in accuracy.items()],
                "allocations": [
                    (an_allocation(cpu, rps) if rps else NEVER) | {"operatingPoint": point}
                    for cpu, point, rps in rows
                ],
            },
        }
    )
    return found.spec


POINTS = with_points(("1", "good", 10), ("1", "fast", 40), ("2", "good", 20), ("2", "fast", 80))


def with_floor(floor: str, profile: VariantProfileSpec = POINTS) -> Service:
    return parsed(a_document(accuracyFloor=floor), {"resnet18-cpu": profile})


def test_operating_points_of_a_size_share_its_pods() -> None:
    (variant,) = parsed(profiles={"resnet18-cpu": POINTS}).variants
    assert (variant.accuracy, len(variant.allocations)) == (0.8, 11)
    for allocation in variant.allocations:
        assert allocation.capacity_rps == pytest.approx(0.04 * allocation.cpu_millicores)
        assert [p.name for p in allocation.points] == ["good", "fast"]
        assert [p.capacity_ratio for p in allocation.points] == pytest.approx([0.25, 1.0])


def test_below_the_floor_no_point_is_offered() -> None:
    service = with_floor("0.7")
    (variant,) = service.variants
    assert {a.cpu_millicores: a.capacity_rps for a in variant.allocations}[2000] == 20
    assert {p.name for a in variant.allocations for p in a.points} == {"good"}
    assert service.accuracy_floor == 0.7


def test_a_floor_at_an_accuracy_lets_that_one_answer_however_it_was_rounded() -> None:
    service = with_floor("0.8")
    assert service.variants[0].allocations
    assert 0.799985 < service.floors["resnet18"] < 0.799995


def test_without_a_floor_nothing_is_asked_of_servers() -> None:
    assert parsed().floors == {}
    assert with_floor("0.000001").floors == {}


def test_a_variant_below_the_floor_is_offered_in_no_size_and_asked_for_nothing() -> None:
    document = a_document(accuracyFloor="0.75")
    first = document["spec"]["variants"][0]
    other = first | {"name": "grouped", "profileRef": {"name": "grouped-cpu"}}
    document["spec"]["variants"].append(other)
    service = parsed(document, {"resnet18-cpu": a_profile(), "grouped-cpu": POINTS})
    assert [bool(variant.allocations) for variant in service.variants] == [False, True]
    assert set(service.floors) == {"grouped"}


def test_a_floor_above_every_variant_shows_both_numbers() -> None:
    with pytest.raises(ProfileUnfit, match=r"accuracyFloor 0\.9, the best is resnet18 with 0\.8:"):
        with_floor("0.9")


def test_a_size_that_was_measured_twice_at_a_point_is_named_with_it() -> None:
    twice = with_points(("1", "good", 10), ("1", "fast", 40), ("1000m", "fast", 41))
    with pytest.raises(ProfileUnfit, match=r"batch size 1 at operating point fast: keep one"):
        parsed(profiles={"resnet18-cpu": twice})


def test_a_point_that_was_never_measured_is_named() -> None:
    """The operator must check it, because the API server may hold an older schema."""
    with pytest.raises(InvalidObject, match="operatingPoints: of each an allocation must have"):
        with_points(("1", "good", 10))


def test_where_only_points_below_the_floor_meet_the_slo_that_is_told() -> None:
    late = with_points(("1", "good", 0), ("1", "fast", 40))
    with pytest.raises(ProfileUnfit, match="larger allocations, or lower accuracyFloor"):
        with_floor("0.7", late)
    assert with_floor("0.6", late).variants
