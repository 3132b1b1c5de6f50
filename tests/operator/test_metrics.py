import math
from dataclasses import replace
from importlib.metadata import version

from prometheus_client import CollectorRegistry

from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.progress import Block, Phase, Progress, Rest
from infadapter_operator.domain.service import Mode
from infadapter_operator.domain.situation import CapacityCalibration
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.metrics import Metrics
from infadapter_operator.reporting.signals import conditions_of
from infadapter_simulator.world.faults import Faults
from infadapter_solver.problem import Target
from tests.builders import a_service
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import World

SERVICE = {"namespace": "vision", "service": "resnet"}
SMALL = {**SERVICE, "variant": "small", "kind": "cpu"}


def record(metrics: Metrics, seen: Cycle, duration_s: float | None = None) -> None:
    metrics.record(seen, conditions_of(seen), duration_s)


async def recorded(rps: float = 12.0, seconds: float = 60) -> tuple[CollectorRegistry, Runner]:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    runner = Runner(world=World(service=a_service(), load=lambda _: rps))
    await runner.run(seconds)
    for seen in runner.looks:
        record(metrics, seen, duration_s=0.01)
    return registry, runner


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"infadapter_{name}", {**SERVICE, **labels})


async def test_a_look_is_told_in_numbers() -> None:
    registry, runner = await recorded()
    last = runner.looks[-1]
    assert last.decision is not None
    assert value(registry, "demand_rps") == 12.0
    assert value(registry, "planned_capacity_rps") == last.decision.plan.capacity_rps
    assert value(registry, "ready_capacity_rps") == last.ready_capacity_rps
    assert value(registry, "planned_accuracy_ratio") == last.decision.plan.accuracy
    assert value(registry, "served_accuracy_ratio") == last.state.served_accuracy
    assert last.state.served_accuracy is not None
    assert value(registry, "last_look_timestamp_seconds") == last.now_s
    assert value(registry, "interval_seconds") == 10.0
    assert value(registry, "condition", type="Ready") == 1
    assert value(registry, "condition", type="SLOMet") == -1
    modes = {mode: value(registry, "mode", mode=mode) for mode in Mode}
    assert modes == {Mode.AUTO: 1, Mode.RECOMMEND: 0, Mode.PAUSED: 0}
    assert value(registry, "look_duration_seconds_count") == len(runner.looks)
    assert value(registry, "plans_total", source="Optimal") == 6
    assert value(registry, "steps_total", step="SetWeights") is not None


def test_the_build_is_told_by_the_version_of_what_is_installed() -> None:
    Metrics(registry := CollectorRegistry())
    labels = {"version": version("infadapter")}
    assert registry.get_sample_value("infadapter_build_info", labels) == 1


async def test_every_target_is_told_also_one_that_is_not_planned() -> None:
    registry, runner = await recorded()
    last = runner.looks[-1]
    assert last.decision is not None
    planned = sum(
        value(registry, "planned_cpu_cores", variant=v, kind="cpu") or 0.0
        for v in ("small", "middle", "large")
    )
    assert planned == last.decision.plan.cost
    assert value(registry, "planned_pods", variant="small", kind="cpu") is not None
    shares = [
        value(registry, "share_ratio", variant=v, kind="cpu") for v in ("small", "middle", "large")
    ]
    assert sum(share or 0.0 for share in shares) == 1.0


async def test_a_demand_that_is_not_known_is_absent_not_zero() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    faults = Faults(blind_s=((1001.0, math.inf),))
    world = World(service=a_service(), load=lambda _: 12.0, faults=faults)
    runner = Runner(world=world)
    record(metrics, await runner.look())
    assert value(registry, "demand_rps") == 12.0
    world.advance(1001.0)
    record(metrics, await runner.look())
    assert value(registry, "demand_rps") is None
    assert value(registry, "last_data_timestamp_seconds") == 1000.0
    assert value(registry, "errors_total", reason="QueryFailed") == 1


async def test_what_pods_deliver_is_told_once_something_was_learnt() -> None:
    registry, runner = await recorded(seconds=1)
    assert value(registry, "learnt_capacity_ratio", variant="small", kind="cpu") is None
    seen = runner.looks[-1]
    calibration = CapacityCalibration(ratios={Target("small", "cpu"): 0.8449})
    metrics = Metrics(registry := CollectorRegistry())
    record(metrics, replace(seen, state=replace(seen.state, calibration=calibration)))
    assert value(registry, "learnt_capacity_ratio", variant="small", kind="cpu") == 0.84
    assert value(registry, "learnt_capacity_ratio", variant="large", kind="cpu") is None
    record(metrics, seen)
    assert value(registry, "learnt_capacity_ratio", variant="small", kind="cpu") is None


async def test_a_deleted_service_leaves_no_series() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    runner = Runner(world=World(service=a_service(), load=lambda _: 12.0))
    record(metrics, await runner.look(), duration_s=0.1)
    metrics.count_error("vision", "resnet", "ProfileMissing")
    metrics.count_error("vision", "other", "ProfileMissing")
    metrics.forget("vision", "resnet")
    left = [
        sample
        for family in registry.collect()
        for sample in family.samples
        if sample.labels.get("service") == "resnet"
    ]
    assert left == []
    assert registry.get_sample_value(
        "infadapter_errors_total",
        {"namespace": "vision", "service": "other", "reason": "ProfileMissing"},
    )


async def test_what_does_not_come_is_told_and_every_failed_attempt_is_counted() -> None:
    registry, runner = await recorded(seconds=1)
    assert value(registry, "variant_available", variant="small", kind="cpu") == 1
    metrics, small = Metrics(registry := CollectorRegistry()), Target("small", "cpu")

    def attempted(attempts: int, **changes: bool) -> None:
        block = Block(
            target=small,
            digest="d",
            cause=Cause.IMAGE,
            message="",
            since_s=0.0,
            until_s=30.0,
            attempts=attempts,
            **changes,
        )
        last = runner.looks[-1]
        assert last.planned is not None
        record(metrics, replace(last, planned=replace(last.planned, blocks={small: block})))

    for attempts in (1, 1, 2, 2):
        attempted(attempts)
    assert value(registry, "variant_available", variant="small", kind="cpu") == 0
    assert value(registry, "variant_available", variant="large", kind="cpu") == 1
    assert value(registry, "blocked_total", cause="ImageUnavailable") == 2
    attempted(2, has_recovered=True)
    assert value(registry, "variant_available", variant="small", kind="cpu") == 1
    assert value(registry, "blocked_total", cause="ImageUnavailable") == 2


async def test_why_the_rollout_rests_is_there_only_while_it_does() -> None:
    _, runner = await recorded(seconds=1)
    metrics = Metrics(registry := CollectorRegistry())

    def rest(reason: Rest | None) -> dict[str, float | None]:
        progress = Progress(phase=Phase.STARTING, ready=0, wanted=1, rest=reason)
        last = runner.looks[-1]
        assert last.rollout is not None
        record(metrics, replace(last, rollout=replace(last.rollout, progress=progress)))
        return {r.name: value(registry, "progress_rest", reason=r.value) for r in Rest}

    others = dict.fromkeys(Rest.__members__)
    assert rest(Rest.NO_NODE) == others | {"NO_NODE": 1}
    assert rest(Rest.NO_SURGE) == others | {"NO_SURGE": 1}
    assert rest(None) == others
    rest(Rest.CONFLICT)
    metrics.forget("vision", "resnet")
    assert value(registry, "progress_rest", reason="Conflict") is None
