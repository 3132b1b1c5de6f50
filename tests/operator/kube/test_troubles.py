"""The whole loop when requests are refused, owners edit Deployments, or the spec is reverted."""

import asyncio
import copy
from typing import Any

import pytest

from infadapter_operator.domain.names import ADOPTED_ANNOTATION, TRAFFIC_LABEL
from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.service import Patience
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.routers.http_route import route_path
from infadapter_operator.kube.scaling_loop import ServiceLoop
from infadapter_operator.kube.supervisor import Loops
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.settings import Settings
from tests.operator.kube.bench import PATH, R18, Bench, Load, borrowing, service, variant
from tests.operator.kube.fakes import OWNER, FakeApi, Json, template
from tests.patience import PATIENCE_S

MINE = deployments("vision", "mine")
ROUTER = deployments("vision", "resnet-router")
ROUTE = route_path(OWNER)
GATE = {"parentRefs": [{"name": "gate"}]}


def is_adopted(api: FakeApi) -> bool:
    return ADOPTED_ANNOTATION in (api.objects[MINE]["metadata"].get("annotations") or {})


def refuse(api: FakeApi, method: str, path: str, error: Exception) -> None:
    api.refuse = lambda m, p: error if (m, p) == (method, path) else None


# --- writes that fail ----------------------------------------------------------------------------


async def test_a_plan_whose_status_write_failed_is_told_later() -> None:
    bench = Bench(service())
    await bench.turns(10)
    before = bench.status["plan"]
    bench.load.rps = 35.0
    refuse(bench.api, "PATCH", f"{PATH}/status", PlatformUnavailable("timeout"))
    await bench.turns(1)
    bench.api.refuse = lambda method, path: None
    await bench.turns(3)
    assert bench.status["plan"]["demandRps"] != before["demandRps"]
    assert bench.status["decisions"][0]["summary"] == bench.status["plan"]["summary"]


async def test_a_template_that_changes_with_the_scale_is_not_scaled_back() -> None:
    bench = Bench(service())
    await bench.turns(10)
    bench.load.rps = 60.0
    newer = template(image="example/server:2")
    changed = [variant(name, template=newer) for name in ("r18", "r34")]
    written: list[int] = []
    write = bench.api._write

    def recorded(method: str, path: str, body: Any, content: str) -> Json:
        if path == R18 and "replicas" in (body.get("spec") or {}):
            written.append(body["spec"]["replicas"])
        return write(method, path, body, content)

    bench.api._write = recorded  # type: ignore[method-assign]
    bench.change(budget={"cpu": "40"}, variants=changed)
    await bench.turns(3)
    assert written == sorted(written)


# --- adopted Deployments -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 422])
async def test_what_can_not_be_put_back_any_more_does_not_keep_the_object(status: int) -> None:
    """E.g. the owner has renamed the container, so the earlier values no longer apply."""
    document, api = borrowing()
    bench = Bench(document, api)
    bench.load.rps = 18.0
    await bench.turns(10)
    refusals: list[Exception] = [ApiRefusal(status, "Invalid", "containers[1].image: Required")]
    api.refuse = lambda m, p: refusals.pop() if (m, p) == ("PATCH", MINE) and refusals else None
    api.objects[PATH]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bench.loop.update(bench.document)
    async with asyncio.timeout(PATIENCE_S):
        await bench.loop.run()
    assert refusals == []
    assert not is_adopted(api)
    assert bench.document["metadata"]["finalizers"] == []


async def test_a_hand_back_that_must_wait_is_no_loop_that_stands_still() -> None:
    document, api = borrowing()
    bench = Bench(document, api)
    bench.load.rps = 18.0
    await bench.turns(10)
    bench.context.settings = Settings(cycle_s=0.02)
    refuse(api, "PATCH", MINE, PlatformUnavailable("timeout"))
    api.objects[PATH]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    loops = Loops(bench.context)
    loops.on_service(False, bench.document)
    (loop,) = loops._loops.values()
    for _ in range(3):
        await next_look(loop)
    assert loops.stalled() is None
    assert is_adopted(api), "it waits still"
    await loops.stop()


async def next_look(loop: ServiceLoop) -> None:
    before_s = loop.ticked_at_s
    async with asyncio.timeout(PATIENCE_S):
        while loop.ticked_at_s == before_s:  # noqa: ASYNC110 - a look tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("who", ["an HPA", "an older service"])
async def test_a_deployment_that_leaves_the_spec_goes_back_whoever_has_come_for_it(
    who: str,
) -> None:
    document, api = borrowing()
    document["spec"]["variants"].append(variant("r34"))
    bench = Bench(document, api)
    bench.load.rps = 18.0
    await bench.turns(10)
    if who == "an HPA":
        path = "/apis/autoscaling/v2/namespaces/vision/horizontalpodautoscalers/h"
        api.put(path, {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "mine"}}})
    else:
        other = copy.deepcopy(bench.document)
        other["metadata"] |= {"name": "older", "uid": "uid-0", "creationTimestamp": "2025-01-01"}
        bench.context.services = {"uid-1": bench.document, "uid-0": other}
    bench.change(variants=[variant("r34")])
    await bench.turns(40)
    assert not is_adopted(api)


# --- a gateway -----------------------------------------------------------------------------------


def accept(api: FakeApi) -> None:
    if live := api.objects.get(ROUTE):
        generation = live["metadata"]["generation"]
        conditions = [
            {"type": kind, "status": "True", "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parent = {"parentRef": {"name": "gate"}, "conditions": conditions}
        live["status"] = {"parents": [parent]}


async def test_the_bundled_router_stays_until_a_gateway_obeys_the_route() -> None:
    bench = Bench(service())
    await bench.turns(10)
    bench.change(traffic=GATE)
    await bench.turns(30)
    assert ROUTER in bench.api.objects, "the parent may be a typing error"
    assert bench.condition("Serving")[0] == "True"
    for _ in range(30):
        accept(bench.api)
        await bench.turns(1)
    assert ROUTER not in bench.api.objects
    assert bench.condition("Serving")[0] == "True"


async def test_the_route_stays_until_a_bundled_router_has_the_traffic() -> None:
    bench = Bench(service(traffic=GATE))
    for _ in range(10):
        await bench.turns(1)
        accept(bench.api)
    spec = bench.api.objects[PATH]["spec"]
    del spec["traffic"]
    bench.change()
    await bench.loop.tick(bench.now_s)
    assert ROUTE in bench.api.objects, "no router has asked yet"
    await bench.turns(30)
    assert ROUTE not in bench.api.objects
    assert bench.condition("Serving")[0] == "True"


async def test_pods_of_a_renamed_variant_are_found_by_their_new_service() -> None:
    document, api = borrowing()
    document["spec"]["traffic"] = GATE
    bench = Bench(document, api)
    for _ in range(12):
        await bench.turns(1)
        accept(api)
    renamed = {"name": "small", "profileRef": {"name": "r18"}, "deploymentRef": {"name": "mine"}}
    bench.change(variants=[renamed])
    for _ in range(10):
        await bench.turns(1)
        accept(api)
    (backend,) = api.objects[ROUTE]["spec"]["rules"][0]["backendRefs"]
    selector = api.objects[core("vision", "services", backend["name"])]["spec"]["selector"]
    assert selector[TRAFFIC_LABEL] == "on"
    assert [pod for pod in api.pods() if selector.items() <= pod["metadata"]["labels"].items()]


class MetHalf(Load):
    """A load of which half of the requests are answered in time."""

    def custom_query_range(self, query: str, start: Any, end: Any, step: str, **_: Any) -> Any:
        answer = super().custom_query_range(query, start, end, step)
        if "time_bucket" in query:
            answer[0]["values"] = [[at_s, "0.5"] for at_s, _ in answer[0]["values"]]
        return answer


async def test_behind_a_gateway_nobody_says_whether_the_slo_is_met() -> None:
    bench = Bench(service())
    bench.context.prometheus = Prometheus(MetHalf(), 5.0)
    await bench.turns(10)
    assert bench.condition("SLOMet")[0] == "False"
    bench.change(traffic=GATE)
    await bench.turns(3)
    assert bench.condition("SLOMet") == ("Unknown", "NotMeasured")


# --- the status while nothing can be observed -------------------------------------------------


async def test_the_metrics_of_a_service_that_can_not_be_looked_at_say_so() -> None:
    document, api = borrowing()
    bench = Bench(document, api)
    await bench.turns(8)
    for path in [p for p in api.objects if p == MINE or "/pods/mine" in p]:
        del api.objects[path]
    await bench.turns(40)
    labels = {"namespace": "vision", "service": "resnet"}
    registry = bench.registry
    condition = {**labels, "type": "SpecValid"}
    assert registry.get_sample_value("infadapter_condition", condition) == 0
    looked_s = registry.get_sample_value("infadapter_last_look_timestamp_seconds", labels)
    assert looked_s is not None
    assert bench.now_s - looked_s < 5


# --- pods that fail to start ---------------------------------------------------------------------


def image_of(pod: Json) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def events_of(api: FakeApi) -> list[str]:
    """Return the reasons of events about variants' availability."""
    found = [made for path, made in sorted(api.objects.items()) if "/events/" in path]
    return sorted(e["reason"] for e in found if e["reason"].endswith("vailable"))


def available(bench: Bench) -> dict[str, tuple[str, str]]:
    told = {v["variant"]: v["conditions"][0] for v in bench.status["variants"]}
    return {name: (c["status"], c["reason"]) for name, c in told.items()}


async def test_what_can_not_be_pulled_is_named_planned_without_and_tried_when_mended() -> None:
    wrong = variant("r34", template=template(image="no"))
    bench = Bench(service(variants=[variant("r18"), wrong]))
    bench.api.waits = lambda pod: "ImagePullBackOff" if image_of(pod) == "no" else ""
    await bench.turns(40)
    assert bench.condition("VariantsAvailable") == ("False", "ImageUnavailable")
    assert available(bench) == {"r34": ("False", "ImageUnavailable"), "r18": ("True", "Available")}
    assert {p["variant"] for p in bench.status["plan"]["allocations"]} == {"r18"}
    assert bench.condition("Ready")[0] == "True"
    assert bench.condition("Progressing") == ("False", "StartFailed")
    assert events_of(bench.api) == ["VariantUnavailable"]
    assert {cause for _, _, cause in bench.context.causes.met_at_s} == {Cause.IMAGE}
    before = bench.status["variants"]
    bench.loop = ServiceLoop(bench.context, bench.document)
    await bench.turns(1)
    assert bench.status["variants"] == before, "a restart is no news"
    bench.change(variants=[variant("r18"), variant("r34")])
    await bench.turns(20)
    assert bench.condition("VariantsAvailable") == ("True", "Available")
    assert {p["variant"] for p in bench.status["plan"]["allocations"]} == {"r34"}
    assert events_of(bench.api) == ["VariantAvailable", "VariantUnavailable"]


async def test_how_long_is_waited_is_a_setting() -> None:
    """All pods here have an old creation time, so the usual patience ends at once."""
    bench = Bench(service(variants=[variant("r34", template=template(image="no"))]))
    bench.api.waits = lambda pod: "ImagePullBackOff"
    bench.context.settings = Settings(patience=Patience(start_s=1e9))
    await bench.turns(20)
    assert bench.condition("VariantsAvailable")[0] == "True"
    bench.context.settings = Settings()
    bench.loop.poke()
    await bench.turns(2)
    assert bench.condition("VariantsAvailable")[0] == "False"


async def test_of_what_is_not_looked_at_nothing_new_is_said() -> None:
    bench = Bench(service())
    await bench.turns(6)
    before = bench.status["variants"]
    bench.change(mode="Paused")
    await bench.turns(2)
    assert bench.condition("VariantsAvailable") == ("Unknown", "Paused")
    assert bench.status["variants"] == before
