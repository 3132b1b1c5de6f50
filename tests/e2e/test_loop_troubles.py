"""
The same service while something goes wrong, beside another one, and its end.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.figures import Figures
from tests.e2e.kube import Kube, wait_for
from tests.e2e.live import Live, variant_of
from tests.e2e.load import failures, share, shares_by_variant, steady
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import (
    INTERVAL_S,
    STABILIZATION_S,
    Rung,
    calm_rps,
    profile,
    service,
    variant,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.roomy]


@pytest.fixture
def without_reserve(glyphs: Live) -> Iterator[None]:
    """Auto keeps a reserve for jumps like those of the tests before, whatever the load is now."""

    def forecast(method: str) -> None:
        body = {"spec": {"forecast": {"method": method}}}
        glyphs.kube.patch("inferenceservices", glyphs.name, body)

    forecast("LastMaximum")
    yield
    forecast("Auto")


@pytest.mark.usefixtures("without_reserve")
def test_a_killed_prometheus_holds_the_plan(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus, figures: Figures
) -> None:
    """The load falls meanwhile, so that a plan which is not held would shrink."""
    busy_rps = 0.7 * rungs["glyph-3"].capacity_rps()
    with steady(glyphs.url, busy_rps) as load:
        glyphs.settle()
        plan, running = glyphs.plan, glyphs.specs()
        killed_s = time.time()
        prometheus.kill()
        glyphs.wait_for_condition("MetricsFresh", "False", 60)
        figures.note("Prometheus killed: to MetricsFresh=False, s", time.time() - killed_s)
        load.stop()
        outcomes = load.since(killed_s)
    with steady(glyphs.url, 0.2 * busy_rps, seed=1) as load:
        time.sleep(STABILIZATION_S + 3 * INTERVAL_S)
        assert glyphs.plan["allocations"] == plan["allocations"]
        assert glyphs.specs() == running
        assert glyphs.condition("FallbackActive") == "True"
        back_s = time.time()
        prometheus.start()
        glyphs.wait_for_condition("MetricsFresh", "True", 60)
        figures.note("Prometheus back: to MetricsFresh=True, s", time.time() - back_s)
        wait_for(
            "the plan follows again", lambda: glyphs.plan["allocations"] != plan["allocations"], 90
        )
        outcomes = [*outcomes, *load.stop()]
    figures.note("Prometheus killed: answered 2xx", share(outcomes, lambda o: o.answered))
    assert failures(outcomes) == []
    assert share(outcomes, lambda o: o.answered) >= 0.999


# --- a second service, on a device -------------------------------------------------------------

DEVICE = "nvidia.com/gpu"


@pytest.fixture
def device(node: str, kube: Kube) -> Iterator[None]:
    """A stand-in for two GPUs, unless the node has some."""
    path = f"/api/v1/nodes/{node}/status"
    live = kube.request("GET", f"/api/v1/nodes/{node}")
    if int(live["status"]["allocatable"].get(DEVICE, 0)):
        yield
        return
    advertise(kube, path, "2")
    wait_for(
        "the node advertises its devices",
        lambda: kube.request("GET", path)["status"]["allocatable"].get(DEVICE) == "2",
    )
    yield
    advertise(kube, path, None)


def advertise(kube: Kube, path: str, count: str | None) -> None:
    amounts = {"capacity": {DEVICE: count}, "allocatable": {DEVICE: count}}
    kube.request("PATCH", path, body={"status": amounts}, content="application/merge-patch+json")


def test_a_second_service_runs_a_variant_on_a_device(
    glyphs: Live, device: None, rungs: dict[str, Rung], figures: Figures
) -> None:
    """Beside the first one, which goes on; its larger network is measured on a device only."""
    kube = glyphs.kube
    name, large = "small", "glyph-4"
    kube.create("variantprofiles", profile(rungs[large], (300,), {DEVICE: 1}))
    document = service(
        name,
        [
            variant("glyph-1", name),
            variant(large, name, profile_name=f"{large}-gpu"),
        ],
        budget={"cpu": "400m", DEVICE: "1"},
        prices={DEVICE: "1"},
    )
    document["spec"]["scaling"]["maxSurge"] = {"cpu": "300m", DEVICE: "1"}
    kube.create("inferenceservices", document)
    live = Live(kube, name)
    try:
        live.wait_until_it_serves()
        low_rps = 0.3 * rungs[large].capacity_rps(300)
        with steady(glyphs.url, calm_rps(rungs)) as others, steady(live.url, low_rps) as load:
            live.settle()
            [planned] = [p for p in live.plan["allocations"] if p["variant"] == large]
            assert planned["kind"] == DEVICE
            since_s = time.time()
            time.sleep(10)
            outcomes, beside = load.since(since_s), others.since(since_s)
        [pod] = [p for p in live.pods() if variant_of(p) == large]
        assert pod["spec"]["containers"][0]["resources"]["limits"][DEVICE] == "1"
        assert pod["spec"]["nodeName"]
        figures.note("device: plan", live.plan["summary"])
        figures.note("device: shares answered", shares_by_variant(outcomes))
        assert shares_by_variant(outcomes) == {large: 1.0}
        assert share(outcomes, lambda o: o.answered) >= 0.999
        assert share(beside, lambda o: o.answered) >= 0.999
    finally:
        live.delete()
        kube.delete("variantprofiles", f"{large}-gpu")


# --- the end -----------------------------------------------------------------------------------


def test_deleting_the_service_leaves_nothing_behind(
    glyphs: Live, prometheus: Prometheus, figures: Figures
) -> None:
    deleted_s = time.time()
    glyphs.delete()
    figures.note("deleted: to nothing left, s", time.time() - deleted_s)
    query = f'infadapter_condition{{namespace="{glyphs.kube.namespace}",service="{glyphs.name}"}}'
    wait_for("no metric of it is left", lambda: not prometheus.query(query), 30)
    events = glyphs.kube.list("events")
    reasons = {e["reason"] for e in events if e["involvedObject"]["name"] == glyphs.name}
    figures.note("events that a user saw", sorted(reasons))
    assert "Planned" in reasons or "VariantSwitched" in reasons
