"""A namespace whose quota is the budget: a service at the defaults is rolled within it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.quantities import cpu_millicores
from tests.e2e.figures import Figures, keep_log
from tests.e2e.kube import Kube, recording, wait_for
from tests.e2e.live import EVEN_S, Live
from tests.e2e.load import even, going_on, share
from tests.e2e.services import Rung, as_measured, service, variant
from tests.e2e.watched import log_of, moments, since

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

Json = dict[str, Any]

NAME, RUNG, PROFILE = "bounded", "glyph-1", "glyph-1-small"
PODS, SIZE_M, ROUTER_M = 2, 200, 150
QUOTA_M = PODS * SIZE_M + ROUTER_M
FEW_RPS = 10.0
ROLLED_S = 60.0


@pytest.fixture
def quota(kube: Kube, rungs: dict[str, Rung]) -> Iterator[str]:
    """All of the namespace, which is empty."""
    wait_for("pods of tests before have gone", lambda: not kube.list("pods"), 120)
    body = {"metadata": {"name": "budget"}, "spec": {"hard": {"requests.cpu": f"{QUOTA_M}m"}}}
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas"
    kube.request("POST", path, body=body)
    yield f"{path}/budget"
    kube.request("DELETE", f"{path}/budget")


@pytest.fixture
def live(kube: Kube, operator: Kube, rungs: dict[str, Rung], quota: str) -> Iterator[Live]:
    """Pods of one size; `maxSurge` is not said, and so is as much as the budget."""
    small = replace(as_measured(rungs[RUNG], (SIZE_M,)), variant=PROFILE)
    kube.create("variantprofiles", write_document(ProfileDocument(profile=small)))
    scaling = {"intervalSeconds": 2, "minReplicas": PODS}
    budget = {"cpu": f"{PODS * SIZE_M}m"}
    kube.create("inferenceservices", service(NAME, [served()], budget=budget, scaling=scaling))
    live = Live(kube, NAME)
    try:
        live.wait_until_it_serves()
        yield live
    finally:
        live.delete()
        kube.delete("variantprofiles", PROFILE)


def served(which: str = "the first") -> Json:
    made = variant(RUNG, NAME, profile_name=PROFILE)
    container = made["template"]["spec"]["containers"][0]
    container["lifecycle"] = {}
    container["env"].append({"name": "TEMPLATE", "value": which})
    return made


def test_a_template_is_rolled_within_a_quota_that_is_the_budget(
    live: Live, quota: str, figures: Figures
) -> None:
    """The first pod beyond it was refused, and the roll stood still."""
    with going_on(live.url, even(FEW_RPS, 3600)) as load:
        live.wait_for_condition("MetricsFresh", "True")
        live.settle(EVEN_S)
        assert live.reason("CapacityAvailable") == "WithinQuota", live.why()
        old = {pod["metadata"]["name"] for pod in live.pods()}
        with recording(live.kube, "pods", "inferenceservices") as recorder:
            wait_for("the watch begins", lambda: recorder.since(0, "pods"))
            began_s = time.time()
            changed = {"spec": {"variants": [served("the second")]}}
            live.kube.patch("inferenceservices", NAME, changed)
            wait_for("no old pod serves", lambda: not old & names(live), ROLLED_S)
            live.settle(0.0)
            took_s = time.time() - began_s
            found = since(moments(list(recorder.seen), NAME), began_s)
        outcomes = load.since(began_s)
    keep_log(NAME, log_of(found, began_s))
    figures.note("quota: template changed to all as planned, s", took_s, f"<= {ROLLED_S:g}")
    least, most_m = min(len(one.ready) for one in found), max(one.held_m for one in found)
    figures.note("quota: pods Ready at least", least, f">= {PODS - 1}")
    figures.note("quota: held at most, m", most_m, f"<= {PODS * SIZE_M}")
    figures.note("quota: pods refused", refused := refusals(live.kube), "none")
    figures.note("quota: answered 2xx", share(outcomes, lambda o: o.answered), ">= 0.999")
    assert not refused
    assert len(names(live)) == PODS
    assert least >= PODS - 1
    assert {one.condition("VariantsAvailable")["status"] for one in found} == {"True"}
    assert share(outcomes, lambda o: o.answered) >= 0.999
    wait_for("the quota is full", lambda: used_m(live.kube, quota) == QUOTA_M, 15)


def used_m(kube: Kube, quota: str) -> int:
    return cpu_millicores(kube.request("GET", quota)["status"]["used"]["requests.cpu"])


def names(live: Live) -> set[str]:
    return {pod["metadata"]["name"] for pod in live.pods()}


def refusals(kube: Kube) -> list[str]:
    """What ReplicaSets were told of pods that they may not make."""
    return [e["message"] for e in kube.list("events") if "exceeded quota" in e.get("message", "")]
