"""A variant with operating points on a cluster, and the accuracy floor from spec to router."""

from collections.abc import Iterable

from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.profile import (
    KnownCapacity,
    OperatingPoint,
    Profile,
    ProfiledAllocation,
)
from infadapter_profiles.sizes import CPU, PodSize
from tests.operator.kube.bench import Bench, service, variant

KEY = "vision/resnet"
RPS_PER_CORE = {"good": 5.0, "fast": 10.0}
GOOD, FAST = OperatingPoint(name="good", accuracy=0.8), OperatingPoint(name="fast", accuracy=0.7)


def rows() -> Iterable[ProfiledAllocation]:
    for cores in (1, 2, 4):
        for point, rps in RPS_PER_CORE.items():
            capacity = KnownCapacity(latency_s=0.75, percentile=99.0, rps=cores * rps)
            size = PodSize(resources={CPU: 1000 * cores})
            yield ProfiledAllocation(size=size, operating_point=point, capacity=(capacity,))


PROFILE = write_document(
    ProfileDocument(
        profile=Profile(
            variant="grouped",
            accuracy=0.8,
            load_time_s=2.0,
            allocations=tuple(rows()),
            operating_points=(FAST, GOOD),
        ),
        namespace="vision",
    )
)


async def serving(*variants: str, **spec: object) -> Bench:
    """Return a bench at rest at 5 rps."""
    bench = Bench(service(variants=[variant(name) for name in variants or ("grouped",)], **spec))
    bench.context.profiles["vision", "grouped"] = PROFILE
    await bench.turns(10)
    bench.writes()
    return bench


def floors(bench: Bench) -> set[float]:
    """Return the accuracy floors in the configuration last sent to the router."""
    kept = bench.context.xds.last_good(KEY)["backends"]
    return {backend.get("floor", 0.0) for backend in kept}


def told(bench: Bench, accuracy: str) -> None:
    """Let Prometheus report this accuracy for all pods."""
    bench.load.delivered = [
        {"metric": {"pod": pod["metadata"]["name"], "what": what}, "value": [0, value]}
        for pod in bench.api.pods()
        for what, value in (("arrived", "5"), ("missed", "0"), ("accuracy", accuracy))
    ]


def gauge(bench: Bench, name: str) -> float | None:
    return bench.registry.get_sample_value(name, {"namespace": "vision", "service": "resnet"})


async def test_the_status_says_which_points_are_expected_to_answer() -> None:
    bench = await serving()
    (planned,) = bench.status["plan"]["allocations"]
    assert {point["name"] for point in planned["points"]} <= {"good", "fast"}
    assert sum(float(point["share"]) for point in planned["points"]) == 1.0


async def test_another_floor_reaches_the_router_in_the_next_cycle_and_rolls_nothing() -> None:
    bench = await serving()
    before = {pod["metadata"]["name"] for pod in bench.api.pods()}
    assert floors(bench) == {0.0}
    bench.change(accuracyFloor="0.75")
    await bench.turns(1)
    assert {round(floor, 6) for floor in floors(bench)} == {0.74999}
    assert not any("resnet-router" in path and "deploy" in path for _, path in bench.writes())
    await bench.turns(10)
    assert before <= {pod["metadata"]["name"] for pod in bench.api.pods()}
    (planned,) = bench.status["plan"]["allocations"]
    assert [point["name"] for point in planned["points"]] == ["good"]
    bench.change(accuracyFloor="0")
    await bench.turns(1)
    assert floors(bench) == {0.0}


async def test_what_runs_below_a_new_floor_answers_until_others_do_and_is_asked_for_nothing() -> (
    None
):
    bench = await serving("r18")
    bench.change(accuracyFloor="0.75", variants=[variant("r18"), variant("grouped")])
    await bench.turns(1)
    assert floors(bench) == {0.0}
    assert bench.context.xds.confirmed(KEY)
    await bench.turns(12)
    variants = {a["variant"] for a in bench.status["plan"]["allocations"]}
    assert variants == {"grouped"}
    assert {round(floor, 6) for floor in floors(bench)} == {0.74999}
    assert bench.condition("Ready") == ("True", "Ready")


async def test_a_floor_above_every_variant_is_told_and_what_runs_goes_on() -> None:
    bench = await serving()
    before = bench.status["plan"]
    bench.change(accuracyFloor="0.9")
    await bench.turns(3)
    assert bench.condition("ProfilesResolved") == ("False", "ProfileUnfit")
    (condition,) = (c for c in bench.status["conditions"] if c["type"] == "ProfilesResolved")
    assert (
        "accuracyFloor 0.9, the best is grouped with 0.8: lower the floor" in condition["message"]
    )
    assert bench.status["plan"] == before
    assert bench.context.xds.confirmed(KEY)


async def test_accuracy_as_served_is_a_metric_and_in_the_status_while_the_plan_rests() -> None:
    bench = await serving()
    assert gauge(bench, "infadapter_served_accuracy_ratio") is None
    told(bench, "0.75")
    await bench.turns(4)
    assert gauge(bench, "infadapter_served_accuracy_ratio") == 0.75
    assert bench.status["servedAccuracy"] == "0.75"
    assert len(bench.writes()) == 1
    told(bench, "0.74")
    await bench.turns(4)
    assert gauge(bench, "infadapter_served_accuracy_ratio") == 0.74
    assert bench.writes() == []
    bench.load.rps = 35.0
    await bench.turns(2)
    assert bench.status["servedAccuracy"] == "0.74"
    bench.load.rps = None
    await bench.turns(1)
    assert gauge(bench, "infadapter_served_accuracy_ratio") is None
