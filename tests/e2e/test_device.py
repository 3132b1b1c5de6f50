"""A second service with a variant on a device, while another service keeps serving."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.figures import Figures
from tests.e2e.kube import Kube, wait_for
from tests.e2e.live import EVEN_S, Live, variant_of
from tests.e2e.load import even, going_on, share, shares_by_variant
from tests.e2e.services import Rung, profile, service, variant

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]

DEVICE = "nvidia.com/gpu"
SMALL, LARGE = "glyph-1", "glyph-4"
FEW_RPS = 30.0


@pytest.fixture
def device(node: str, kube: Kube) -> Iterator[None]:
    """Two GPUs that the node only advertises, unless it has real ones."""
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


@pytest.fixture
def lives(
    kube: Kube, operator: Kube, rungs: dict[str, Rung], device: None, deleted: list[Live]
) -> Iterator[tuple[Live, Live]]:
    """A service without a device, and one with it."""
    plain, small = Live(kube, "plain"), Live(kube, "small")
    kube.create("variantprofiles", profile(rungs[LARGE], (300,), {DEVICE: 1}))
    kube.create("inferenceservices", without_a_device(plain.name))
    try:
        kube.create("inferenceservices", with_a_device(small.name))
        plain.wait_until_it_serves()
        small.wait_until_it_serves()
        yield plain, small
    finally:
        for live in (plain, small):
            kube.delete("inferenceservices", live.name)
            deleted.append(live)


def test_a_second_service_runs_a_variant_on_a_device(
    lives: tuple[Live, Live], rungs: dict[str, Rung], figures: Figures
) -> None:
    """Its larger network has a profile for the device only. The first service must not suffer."""
    first, live = lives
    low_rps = 0.3 * rungs[LARGE].capacity_rps(300)
    few, low = even(FEW_RPS, 3600), even(low_rps, 3600)
    with going_on(first.url, few) as others, going_on(live.url, low) as load:
        live.settle(EVEN_S)
        [planned] = [p for p in live.plan["allocations"] if p["variant"] == LARGE]
        assert planned["kind"] == DEVICE
        since_s = time.time()
        time.sleep(10)
        outcomes, beside = load.since(since_s), others.since(since_s)
    [pod] = [p for p in live.pods() if variant_of(p) == LARGE]
    assert pod["spec"]["containers"][0]["resources"]["limits"][DEVICE] == "1"
    assert pod["spec"]["nodeName"]
    figures.note("device: plan", live.plan["summary"])
    figures.note("device: shares answered", shares_by_variant(outcomes))
    assert shares_by_variant(outcomes) == {LARGE: 1.0}
    assert share(outcomes, lambda o: o.answered) >= 0.999
    assert share(beside, lambda o: o.answered) >= 0.999


def without_a_device(name: str) -> Json:
    return _with_surge(service(name, [variant(SMALL, name)], budget={"cpu": "300m"}), {})


def with_a_device(name: str) -> Json:
    variants = [variant(SMALL, name), variant(LARGE, name, profile_name=f"{LARGE}-gpu")]
    budget, prices = {"cpu": "400m", DEVICE: "1"}, {DEVICE: "1"}
    return _with_surge(service(name, variants, budget=budget, prices=prices), {DEVICE: "1"})


def _with_surge(document: Json, devices: Json) -> Json:
    """Limit the surge, since other tests use the node at the same time."""
    document["spec"]["scaling"]["maxSurge"] = {"cpu": "300m", **devices}
    return document
