"""The whole loop of a service, with an API server in memory and a clock that tests advance."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from infadapter_operator.domain.names import FINALIZER, pod_names
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.paths import core, custom, deployments
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.supervisor import Loops, stalled_after_s
from infadapter_operator.settings import Settings
from infadapter_profiles.quantities import cpu_millicores
from tests.operator.kube.bench import PATH, R34, Bench, borrowing, service, variant
from tests.operator.kube.fakes import Json, template
from tests.patience import PATIENCE_S


async def test_from_an_object_to_pods_weights_and_a_ready_status() -> None:
    bench = Bench(service())
    await bench.turns(6)
    assert bench.condition("Ready") == ("True", "Ready")
    planned = {a["variant"]: a["pods"] for a in bench.status["plan"]["allocations"]}
    for name, pods in planned.items():
        path = deployments("vision", f"resnet-{name}")
        assert bench.api.objects[path]["spec"]["replicas"] == pods
    weights = bench.context.xds.confirmed("vision/resnet")
    assert weights
    assert set(weights) <= {pod["metadata"]["name"] for pod in bench.api.pods()}
    assert bench.status["observedGeneration"] == 1
    assert bench.document["metadata"].get("finalizers") is None


async def test_at_rest_nothing_is_written() -> None:
    bench = Bench(service())
    await bench.turns(10)
    bench.writes()
    await bench.turns(40)
    assert bench.writes() == []


async def test_a_restart_changes_nothing() -> None:
    bench = Bench(service())
    await bench.turns(10)
    again = Bench(service(), bench.api)
    again.now_s = bench.now_s
    again.writes()
    await again.turns(5)
    assert again.writes() == []
    assert again.condition("Ready") == ("True", "Ready")


async def test_more_load_brings_more_capacity_within_a_look() -> None:
    bench = Bench(service())
    await bench.turns(10)
    before = bench.status["plan"]
    bench.load.rps = 35.0
    bench.writes()
    await bench.turns(1)
    assert any("deployments" in path or "resize" in path for _, path in bench.writes())
    assert bench.status["plan"]["allocations"] != before["allocations"]


@pytest.mark.parametrize("rps", [15.0, 30.0, 60.0])
@pytest.mark.parametrize("cores", [1, 2])
async def test_a_budget_that_is_cut_below_what_runs_is_kept_to(rps: float, cores: int) -> None:
    """
    Regression: pods beyond the new budget stayed as long as the load did, e.g. six cores of one,
    with the message "the budget serves 60 rps, and 60 are expected".
    """
    bench = Bench(service(variants=[variant("r18")]))
    bench.load.rps = rps
    await bench.turns(12)
    bench.change(budget={"cpu": str(cores)})
    await bench.turns(6)
    servers = [p for p in bench.api.pods() if "router" not in p["metadata"]["name"]]
    requested = (p["spec"]["containers"][0]["resources"]["requests"] for p in servers)
    assert sum(cpu_millicores(each["cpu"]) for each in requested) <= 1000 * cores
    assert float(bench.status["plan"]["cost"]) <= cores
    assert bench.condition("Serving")[0] == "True"


@pytest.mark.parametrize(
    "spec", [{}, {"demand": {"query": "sum(x)"}}, {"traffic": {"parentRefs": [{"name": "gate"}]}}]
)
async def test_what_pods_deliver_is_learnt_whatever_tells_the_load(spec: Json) -> None:
    bench = Bench(service(**spec))
    await bench.turns(6)
    names = [pod["metadata"]["name"] for pod in bench.api.pods()]
    bench.load.delivered = [
        {"metric": {"pod": name, "what": what}, "value": [bench.now_s, rps]}
        for name in names
        for what, rps in (("arrived", "4"), ("missed", "1"))
    ]
    await bench.turns(9)
    query = bench.load.asked[-1]
    pods = "|".join(map(pod_names, ("resnet-r18", "resnet-r34")))
    assert f'namespace="vision",pod=~"{pods}"' in query
    ratios = [
        sample.value
        for family in bench.registry.collect()
        for sample in family.samples
        if sample.name == "infadapter_learnt_capacity_ratio"
    ]
    assert min(ratios) < 1.0


async def test_without_data_the_plan_is_held() -> None:
    bench = Bench(service())
    bench.load.rps = 30.0
    await bench.turns(10)
    plan = bench.status["plan"]
    bench.load.rps = None
    await bench.turns(20)
    assert bench.condition("MetricsFresh") == ("False", "QueryFailed")
    assert bench.condition("FallbackActive")[0] == "True"
    assert bench.status["plan"] == plan


async def test_an_api_server_that_does_not_answer_stops_one_turn_only() -> None:
    bench = Bench(service())
    await bench.turns(6)
    bench.api.refuse = lambda method, path: PlatformUnavailable("no answer")
    await bench.loop.tick(bench.now_s)
    bench.api.refuse = lambda method, path: None
    await bench.turns(2)
    assert bench.condition("Ready") == ("True", "Ready")


@pytest.mark.parametrize("refused", ["/status", ""], ids=["statuses", "everything"])
async def test_an_outage_is_told_once_and_not_every_second(
    refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: a line per second and service hid everything else in the log."""
    bench = Bench(service())
    await bench.turns(6)
    bench.load.rps = 35.0
    bench.api.refuse = lambda method, path: (
        PlatformUnavailable("no answer") if path.endswith(refused) else None
    )
    running = asyncio.create_task(bench.loop.run())
    for _ in range(30):
        bench.loop.poke()
        await asyncio.sleep(0.01)
    running.cancel()
    assert 1 <= sum("no answer" in line for line in caplog.messages) <= 3


# --- specs that cannot be fulfilled ----------------------------------------------------------


async def test_a_profile_that_is_missing_is_waited_for() -> None:
    bench = Bench(service())
    missing = bench.context.profiles.pop(("vision", "r34"))
    await bench.turns(2)
    assert bench.condition("ProfilesResolved") == ("False", "ProfileMissing")
    assert bench.api.pods() == []
    bench.context.profiles["vision", "r34"] = missing
    bench.loop.poke()
    await bench.turns(6)
    assert bench.condition("Ready") == ("True", "Ready")


async def test_a_refused_template_is_named_and_what_runs_goes_on() -> None:
    bench = Bench(service())
    await bench.turns(8)
    before = copy.deepcopy(bench.api.objects[R34])
    message = 'strict decoding error: unknown field "spec.template.spec.containers[0].imagee"'

    def refuse(method: str, path: str) -> Exception | None:
        return ApiRefusal(400, "BadRequest", message) if method == "POST" else None

    bench.api.refuse = refuse
    bench.change(variants=[variant("r18"), variant("r34", template=template(imagee="x"))])
    await bench.turns(3)
    assert bench.condition("SpecValid") == ("False", "TemplateRefused")
    (said,) = (c["message"] for c in bench.status["conditions"] if c["type"] == "SpecValid")
    assert said == 'variant r34: unknown field "template.spec.containers[0].imagee"'
    assert bench.api.objects[R34] == before
    assert bench.condition("Serving")[0] == "True"
    bench.api.refuse = lambda method, path: None
    bench.change(variants=[variant("r18"), variant("r34")])
    await bench.turns(2)
    assert bench.condition("SpecValid")[0] == "True"


async def test_a_quota_of_deployments_that_is_used_up_does_not_refuse_templates() -> None:
    """Regression: the dry run creates a Deployment more, so the quota blocked every change."""
    bench = Bench(service())
    await bench.turns(8)
    full = "deployments.apps is forbidden: exceeded quota: q, used: count/deployments.apps=3"
    bench.api.refuse = lambda method, path: (
        ApiRefusal(403, "Forbidden", full) if method == "POST" and "deployments" in path else None
    )
    bench.change(variants=[variant("r18"), variant("r34", template=template(image="new:2"))])
    await bench.turns(4)
    assert bench.condition("SpecValid")[0] == "True"
    (container,) = bench.api.objects[R34]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "new:2"


async def test_templates_are_judged_once() -> None:
    bench = Bench(service())
    await bench.turns(3)
    assert len(bench.api.dry_runs) == 2
    bench.change(demand={"minimumRps": "1"})
    await bench.turns(2)
    assert len(bench.api.dry_runs) == 2


async def test_a_front_that_is_somebody_elses_is_a_conflict_and_the_loop_goes_on() -> None:
    bench = Bench(service())
    bench.api.put(core("vision", "services", "resnet"), {"kind": "Service", "spec": {}})
    await bench.turns(3)
    assert bench.condition("Conflict")[0] == "True"
    assert bench.api.pods()


async def test_a_status_that_cannot_be_read_is_none() -> None:
    document = service()
    document["status"] = {"plan": "gone"}
    bench = Bench(document)
    await bench.turns(6)
    assert bench.condition("Ready") == ("True", "Ready")


# --- modes ------------------------------------------------------------------------------------


def status_only(writes: list[tuple[str, str]]) -> bool:
    return all(path.endswith(("/status", "/events")) for _, path in writes)


async def test_recommend_writes_status_alone() -> None:
    bench = Bench(service(mode="Recommend"))
    await bench.turns(4)
    assert bench.status["plan"]["allocations"]
    assert status_only(bench.writes())
    assert bench.api.pods() == []


async def test_paused_stops_at_once_also_when_the_spec_is_wrong() -> None:
    bench = Bench(service())
    await bench.turns(8)
    bench.writes()
    bench.load.rps = 35.0
    gone = [variant("r18"), variant("r34", profileRef={"name": "none"})]
    bench.change(mode="Paused", variants=gone)
    await bench.turns(3)
    assert status_only(bench.writes())
    assert bench.condition("Paused")[0] == "True"


# --- borrowed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("surge", ["0", "4"])
async def test_another_image_is_rolled_and_without_surge_room_is_made_for_it_first(
    surge: str,
) -> None:
    scaling = {"intervalSeconds": 5, "maxSurge": {"cpu": surge}}
    bench = Bench(service(variants=[variant("r18")], budget={"cpu": "3"}, scaling=scaling))
    bench.load.rps = 26.0
    await bench.turns(10)
    there = len(servers(bench))
    before = bench.status["plan"]["allocations"]
    bench.change(variants=[variant("r18", template=template(image="example/server:2"))])
    fewest = there
    for _ in range(20):
        await bench.turns(1)
        fewest = min(fewest, len(servers(bench)))
    assert {pod["spec"]["containers"][0]["image"] for pod in servers(bench)} == {"example/server:2"}
    assert bench.status["plan"]["allocations"] == before
    assert bench.condition("Ready") == ("True", "Ready")
    assert bench.condition("Progressing") == ("False", "AsPlanned")
    assert (fewest < there) == (surge == "0")


def servers(bench: Bench) -> list[Json]:
    return [pod for pod in bench.api.pods() if "r18" in pod["metadata"]["name"]]


async def test_what_is_borrowed_is_given_back_before_the_object_goes() -> None:
    document, api = borrowing()
    bench = Bench(document, api)
    before = copy.deepcopy(api.objects[deployments("vision", "mine")]["spec"])
    bench.load.rps = 18.0
    await bench.turns(10)
    assert bench.document["metadata"]["finalizers"] == [FINALIZER]
    assert api.pods()[0]["spec"]["containers"][0]["resources"]["limits"]["cpu"] != "1" or (
        api.objects[deployments("vision", "mine")]["spec"]["replicas"] > 1
    )
    api.objects[PATH]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bench.loop.update(bench.document)
    async with asyncio.timeout(PATIENCE_S):
        await bench.loop.run()
    assert api.objects[deployments("vision", "mine")]["spec"] == before
    assert bench.document["metadata"]["finalizers"] == []


async def test_who_else_sizes_a_deployment_is_told_by_name() -> None:
    """Regression: the message named only "another controller"."""
    bench = Bench(*borrowing())
    reference = {"kind": "Deployment", "name": "mine"}
    path = custom("autoscaling", "v2", "vision", "horizontalpodautoscalers", "web")
    bench.api.put(path, {"spec": {"scaleTargetRef": reference}})
    await bench.turns(4)
    assert bench.condition("Conflict")[0] == "True"
    who = "Deployment mine is sized by horizontalpodautoscalers.autoscaling/web"
    assert bench.told("Conflict").startswith(who)


async def test_a_deployment_that_is_not_there_is_named() -> None:
    document, api = borrowing()
    document["spec"]["variants"].append(variant("r34"))
    del api.objects[deployments("vision", "mine")]
    bench = Bench(document, api)
    await bench.turns(6)
    assert bench.condition("SpecValid") == ("False", "DeploymentMissing")
    assert "correct deploymentRef.name" in bench.told("SpecValid")
    assert bench.condition("Serving")[0] == "True", "the other variant serves"


# --- the loops of all services ----------------------------------------------------------------


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_a_service_that_comes_and_goes_leaves_no_task_and_no_series() -> None:
    bench = Bench(service())
    loops = Loops(bench.context)
    loops.on_service(False, bench.document)
    await until(lambda: bool(bench.status))
    assert loops.stalled() is None
    loops.on_service(True, bench.document)
    await loops.stop()
    assert bench.context.services == {}
    assert not bench.context.xds.published("vision/resnet")


async def test_a_service_that_goes_while_its_loop_is_about_to_go_on_leaves_no_series(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: one more cycle wrote metrics, so an alert fired for the deleted service."""
    bench = Bench(service())
    answered, request = asyncio.Event(), bench.api.request

    async def late(*args: Any, **more: Any) -> Json:
        await answered.wait()
        return await request(*args, **more)

    monkeypatch.setattr(bench.api, "request", late)
    bench.api.refuse = lambda method, path: ApiRefusal(422, "Invalid", "no such template")
    loops = Loops(bench.context)
    loops.on_service(False, bench.document)
    await asyncio.sleep(0.01)
    answered.set()
    loops.on_service(True, bench.document)
    await asyncio.sleep(0.01)
    await loops.stop()
    assert told_of(bench) == []


def told_of(bench: Bench) -> list[str]:
    return [
        sample.name
        for family in bench.registry.collect()
        for sample in family.samples
        if sample.labels.get("service") == "resnet"
    ]


async def test_a_service_that_was_made_anew_while_nobody_watched_has_one_loop() -> None:
    """Regression: two loops undid each other's work; the older one's end removed the weights."""
    bench = Bench(service())
    loops = Loops(bench.context)
    old = bench.document
    loops.on_service(False, old)
    await until(lambda: bench.context.xds.published("vision/resnet") or bool(bench.status))
    bench.api.objects[PATH]["metadata"]["uid"] = "uid-2"
    loops.on_service(False, bench.document)
    assert list(bench.context.services) == ["uid-2"]
    bench.context.xds.publish("vision/resnet", ())
    loops.on_service(True, old)
    assert bench.context.xds.published("vision/resnet")
    await loops.stop()


@pytest.mark.parametrize(
    ("settings", "least_s"),
    [
        (Settings(), 60.0),
        (Settings(prometheus_timeout_s=60.0), 4 * 2 * 60.0),
        (Settings(kubernetes_timeout_s=60.0), 2 * 60.0),
    ],
)
def test_who_waits_as_long_as_it_was_told_to_does_not_stand_still(
    settings: Settings, least_s: float
) -> None:
    """Regression: the liveness probe killed the operator while it waited for Prometheus."""
    assert stalled_after_s(settings) >= least_s
    assert stalled_after_s(Settings()) == 60.0


async def test_a_clock_that_is_set_back_leaves_nothing_undone() -> None:
    """Regression: deleted router objects were not recreated until the clock caught up."""
    bench = Bench(service())
    await bench.turns(6)
    router = deployments("vision", "resnet-router")
    bench.now_s -= 3600.0
    del bench.api.objects[router]
    await bench.turns(1)
    assert router in bench.api.objects


async def test_a_mistake_of_ours_stops_one_turn_of_one_service(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("infadapter_operator.kube.supervisor.RESTART_AFTER_S", 0.01)
    bench = Bench(service())
    broken = bench.context.profiles["vision", "r18"]
    mistakes: list[str] = []

    def refuse(method: str, path: str) -> Exception | None:
        mistakes.append(path)
        return ZeroDivisionError("a bug") if len(mistakes) < 3 else None

    bench.api.refuse = refuse
    loops = Loops(bench.context)
    loops.on_profile(False, broken)
    loops.on_service(False, bench.document)
    await until(lambda: bool(bench.status))
    await loops.stop()
    assert "a bug" in caplog.text


async def test_a_loop_that_a_library_cancels_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: the loop counted as stopped on purpose, and was never started again."""
    monkeypatch.setattr("infadapter_operator.kube.supervisor.RESTART_AFTER_S", 0.01)
    bench = Bench(service())
    cancelled: list[str] = []

    def cancel(method: str, path: str) -> None:
        cancelled.append(path)
        if len(cancelled) < 3:
            raise asyncio.CancelledError

    bench.api.refuse = cancel
    loops = Loops(bench.context)
    loops.on_service(False, bench.document)
    await until(lambda: bool(bench.status) and bench.condition("Ready")[1] != "LoopFailed")
    await loops.stop()


async def test_a_mistake_that_is_made_again_and_again_has_one_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("infadapter_operator.kube.supervisor.RESTART_AFTER_S", 0.0)
    bench = Bench(service())
    mistakes: list[str] = []

    def fail(method: str, path: str) -> Exception:
        mistakes.append(path)
        return ZeroDivisionError("a bug")

    bench.api.refuse = fail
    loops = Loops(bench.context)
    loops.on_service(False, bench.document)
    await until(lambda: len(mistakes) > 20)
    await loops.stop()
    told = [record.exc_info is not None for record in caplog.records if "bug" in record.message]
    assert told == [True, True]  # of the loop, and of the status that could not be written


async def test_a_mistake_of_ours_is_told_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the status stayed as it was, or empty; only the log had the error."""
    monkeypatch.setattr("infadapter_operator.kube.supervisor.RESTART_AFTER_S", 0.01)
    bench = Bench(service())
    bench.api.refuse = lambda method, path: (
        None if path.endswith("/status") else ZeroDivisionError("a bug")
    )
    loops = Loops(bench.context)
    for name in ("r18", "r34"):
        loops.on_profile(False, bench.context.profiles["vision", name])
    loops.on_service(False, bench.document)
    await until(lambda: bool(bench.status))
    assert bench.condition("Ready") == ("Unknown", "LoopFailed")
    assert "(ZeroDivisionError)" in bench.told("Ready")
    bench.api.refuse = lambda method, path: None
    await until(lambda: bench.condition("SpecValid") == ("True", "Accepted"))
    await loops.stop()


async def test_a_changed_profile_is_looked_at_by_services_of_its_namespace() -> None:
    bench = Bench(service())
    missing = bench.context.profiles.pop(("vision", "r34"))
    loops = Loops(bench.context)
    loops.on_service(False, bench.document)
    await until(lambda: bool(bench.status))
    assert bench.condition("ProfilesResolved")[0] == "False"
    loops.on_profile(False, missing)
    await until(lambda: bench.condition("ProfilesResolved")[0] == "True")
    loops.on_profile(True, missing)
    await until(lambda: bench.condition("ProfilesResolved")[0] == "False")
    await loops.stop()


def test_the_older_service_keeps_the_deployment_that_two_name() -> None:
    document, api = borrowing()
    bench = Bench(document, api)
    mine = bench.document
    other = copy.deepcopy(mine)
    other["metadata"].update(name="other", uid="uid-2", creationTimestamp="2026-02-01T00:00:00Z")
    bench.context.services = {"uid-1": mine, "uid-2": other}
    assert bench.context.older_claim(mine, "mine") is None
    assert bench.context.older_claim(other, "mine") == "resnet"


@pytest.mark.parametrize(
    "spec",
    [None, [], "x", {"variants": {}}, {"variants": [None, 7, {"deploymentRef": "mine"}]}],
)
async def test_a_service_that_can_not_be_read_stops_no_other(spec: object) -> None:
    """Regression: an object that bypassed the schema made all other services' loops fail."""
    document, api = borrowing()
    bench = Bench(document, api)
    odd = copy.deepcopy(bench.document)
    odd["metadata"].update(name="odd", uid="uid-2")
    odd["spec"] = spec
    bench.context.services = {"uid-1": bench.document, "uid-2": odd}
    await bench.turns(2)
    assert bench.condition("SpecValid") == ("True", "Accepted")
    other = Bench({**service(), "spec": spec})
    await other.turns(1)
    assert other.condition("SpecValid")[0] == "False"


async def test_pods_that_a_quota_forbids_are_told() -> None:
    bench = Bench(service())
    await bench.turns(6)
    for path, made in bench.api.objects.items():
        if "/deployments/resnet-r" in path and "router" not in path:
            failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}
            made["status"]["conditions"] = [failure]
    await bench.loop.tick(bench.now_s)
    assert bench.condition("CapacityAvailable") == ("False", "QuotaExceeded")
