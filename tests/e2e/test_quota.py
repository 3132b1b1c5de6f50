"""A ResourceQuota equal to the budget: rolling updates of a service must fit in it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infadapter_operator.domain.names import target_name
from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.quantities import cpu_millicores
from infadapter_solver.problem import Target
from infadapter_workload.outcomes import Outcome
from tests.e2e.figures import Figures, keep_log
from tests.e2e.kube import STRATEGIC, Kube, recording, wait_for
from tests.e2e.live import EVEN_S, Live
from tests.e2e.load import even, going_on, share
from tests.e2e.services import Rung, as_measured, service, variant
from tests.e2e.watched import Moment, log_of, messages, moments, since

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

Json = dict[str, Any]

NAME, RUNG, PROFILE = "bounded", "glyph-1", "glyph-1-small"
PODS, SIZE_M, ROUTER_M = 2, 200, 150
QUOTA_M = PODS * SIZE_M + ROUTER_M
FEW_RPS = 10.0
ROLLED_S = 60.0


@pytest.fixture(scope="module")
def quota(kube: Kube, rungs: dict[str, Rung]) -> Iterator[str]:
    """The path of a quota on the namespace, which must be empty before."""
    wait_for("pods of tests before have gone", lambda: not kube.list("pods"), 120)
    body = {"metadata": {"name": "budget"}, "spec": {"hard": {"requests.cpu": f"{QUOTA_M}m"}}}
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas"
    kube.request("POST", path, body=body)
    yield f"{path}/budget"
    kube.request("DELETE", f"{path}/budget")


@pytest.fixture(scope="module")
def live(kube: Kube, operator: Kube, rungs: dict[str, Rung], quota: str) -> Iterator[Live]:
    """A service with pods of one size. `maxSurge` is not set, so it equals the budget."""
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


@dataclass(frozen=True, slots=True)
class Rolled:
    """A finished roll: its duration until all is as planned, the watch, outcomes of requests."""

    took_s: float
    found: Sequence[Moment]
    outcomes: Sequence[Outcome]


def rolled(live: Live, begin: Callable[[], object]) -> Rolled:
    with going_on(live.url, even(FEW_RPS, 3600)) as load:
        live.wait_for_condition("MetricsFresh", "True")
        live.settle(EVEN_S)
        assert live.reason("CapacityAvailable") == "WithinQuota", live.why()
        old = names(live)
        with recording(live.kube, "pods", "inferenceservices") as recorder:
            wait_for("the watch begins", lambda: recorder.since(0, "pods"))
            began_s = time.time()
            begin()
            wait_for("no old pod serves", lambda: not old & names(live), ROLLED_S)
            live.settle(0.0, ROLLED_S)
            took_s = time.time() - began_s
            found = since(moments(list(recorder.seen), NAME), began_s)
        return Rolled(took_s, found, load.since(began_s))


def judge(what: str, one: Rolled, figures: Figures) -> None:
    keep_log(f"{NAME}-{what}", log_of(one.found, one.found[0].at_s))
    least = min(len(each.ready) for each in one.found)
    most_m = max(each.held_m for each in one.found)
    answered = share(one.outcomes, lambda o: o.answered)
    figures.note(f"quota: {what} to all as planned, s", one.took_s, f"<= {ROLLED_S:g}")
    figures.note(f"quota: {what}, pods Ready at least", least, f">= {PODS - 1}")
    figures.note(f"quota: {what}, held at most, m", most_m, f"<= {PODS * SIZE_M}")
    figures.note(f"quota: {what}, answered 2xx", answered, ">= 0.999")
    assert least >= PODS - 1
    assert most_m <= PODS * SIZE_M
    assert answered >= 0.999
    told = messages(one.found, "VariantsAvailable")
    assert not any(each.startswith("False") for each in told), told


def test_a_changed_template_is_rolled_within_a_quota_that_is_the_budget(
    live: Live, quota: str, figures: Figures
) -> None:
    """Regression: the first pod beyond the quota was refused, and the roll did not continue."""
    changed = {"spec": {"variants": [served("the second")]}}
    one = rolled(live, lambda: live.kube.patch("inferenceservices", NAME, changed))
    judge("a template", one, figures)
    assert refusals(live.kube) == []
    wait_for("the quota is full", lambda: used_m(live.kube, quota) == QUOTA_M, 15)


def test_a_restart_that_the_quota_keeps_out_makes_its_room(live: Live, figures: Figures) -> None:
    """As by `kubectl rollout restart`: the platform begins the roll; its first pod is refused."""
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    name = target_name(NAME, Target(RUNG))
    one = rolled(live, lambda: live.kube.patch("deployments", name, body, content=STRATEGIC))
    judge("a restart", one, figures)
    assert refusals(live.kube) != []


def names(live: Live) -> set[str]:
    return {pod["metadata"]["name"] for pod in live.pods()}


def used_m(kube: Kube, quota: str) -> int:
    return cpu_millicores(kube.request("GET", quota)["status"]["used"]["requests.cpu"])


def refusals(kube: Kube) -> list[str]:
    """Return the events of pods that the quota refused to the service's ReplicaSets."""
    return [
        e["message"]
        for e in kube.list("events")
        if e["involvedObject"].get("name", "").startswith(NAME)
        and "exceeded quota" in e.get("message", "")
    ]
