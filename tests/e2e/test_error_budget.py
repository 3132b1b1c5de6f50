"""
An error budget that burns: an hour compressed to a minute, for the operator by its setting and
for Prometheus by the chart's own rules with shorter windows.

The profile promises more than the pods deliver, and nobody scrapes the pods: what they miss is seen
at the router alone, so that only the error budget can make room.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.figures import Figures
from tests.e2e.host import ROOT
from tests.e2e.kube import Kube, run, wait_for
from tests.e2e.live import Live, operator_pod, planned_capacity_rps
from tests.e2e.load import Load, even
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import Rung, profile, service, variant

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500), pytest.mark.roomy]

WINDOW_S = 60  # the shortest that the operator takes
SETTING = "INFADAPTER_ERROR_BUDGET_WINDOW_SECONDS"
SHORTER = {"[5m]": "[10s]", "[1h]": f"[{WINDOW_S}s]", "[6h]": f"[{3 * WINDOW_S}s]"}
RUNG, PROMISED, CALM, BUSY = "glyph-4", 4.0, 0.1, 1.3
"""
What the profile says, of what pods deliver; and the loads, of what saturates them. The busy one
is within what is promised and beyond what all of the budget delivers: room alone ends no alert.
"""

FAST_BURN = "InfadapterErrorBudgetFastBurn"


@pytest.fixture
def hour_of_minutes(operator: Kube, prometheus: Prometheus) -> Iterator[None]:
    """The operator starts anew, and again at the end."""
    deployments = run("kubectl", "-n", operator.namespace, "get", "deployments", "-o", "name")
    [deployment] = deployments.split()
    rules = (ROOT / "helm/infadapter/files/rules.yaml").read_text()
    for window, shorter in SHORTER.items():
        rules = rules.replace(window, shorter)
    prometheus.add_rules("minutes", rules.replace("name: infadapter", "name: minutes"))

    def restarted(value: str) -> None:
        env = ("kubectl", "-n", operator.namespace, "set", "env", deployment, f"{SETTING}{value}")
        run(*env)
        run("kubectl", "-n", operator.namespace, "rollout", "status", deployment, "--timeout=120s")
        operator_pod(operator)

    restarted(f"={WINDOW_S}")
    yield
    restarted("-")
    prometheus.remove_rules("minutes")


@pytest.mark.usefixtures("hour_of_minutes")
def test_a_burning_budget_makes_room_alerts_and_comes_back(
    kube: Kube, rungs: dict[str, Rung], prometheus: Prometheus, figures: Figures
) -> None:
    live, rung = Live(kube, "burning"), rungs[RUNG]
    kube.create("variantprofiles", _too_good(rung, live.name))
    kube.create("inferenceservices", _unscraped(live.name))
    try:
        live.wait_until_it_serves()
        calm_rps = CALM * rung.saturation_rps
        calm = Load(live.url, even(calm_rps, 3600))
        wait_for("a window is known", lambda: live.condition("ErrorBudgetLeft") == "True", 420)
        busy = Load(live.url, even(BUSY * rung.saturation_rps - calm_rps, 1200))
        _burns(live, rung, prometheus, figures)
        busy.stop()
        _comes_back(live, prometheus, figures)
        calm.stop()
    finally:
        live.delete()
        kube.delete("variantprofiles", live.name)


def _burns(live: Live, rung: Rung, prometheus: Prometheus, figures: Figures) -> None:
    began_s = time.time()
    live.wait_for_condition("ErrorBudgetLeft", "False", 240)
    figures.note("error budget: to Burning, s", time.time() - began_s)
    wait_for("the reserve is up", lambda: _told(live, "reserveFactor") > 1, 30)
    wait_for("the alert fires", lambda: _firing(prometheus, live), 240)
    figures.note("error budget: to the alert, s", time.time() - began_s)
    usual_rps = PROMISED * rung.capacity_rps(800)  # no less than a plan with the usual reserve
    wait_for("there is room", lambda: planned_capacity_rps(live.plan) > usual_rps, 120)
    figures.note("error budget: reserve factor", _told(live, "reserveFactor"))
    left = _left(prometheus, live)
    assert left is not None
    assert left < 0
    events = [e for e in live.kube.list("events") if e["involvedObject"]["name"] == live.name]
    assert "ErrorBudgetBurning" in {e["reason"] for e in events}


def _comes_back(live: Live, prometheus: Prometheus, figures: Figures) -> None:
    ended_s = time.time()
    wait_for("the alert is over", lambda: not _firing(prometheus, live), 180)
    live.wait_for_condition("ErrorBudgetLeft", "True", 2 * WINDOW_S)
    figures.note("error budget: until it is back, s", time.time() - ended_s)
    assert _told(live, "reserveFactor") == 1


def _told(live: Live, what: str) -> float:
    return float(live.status["errorBudget"][what])


def _too_good(rung: Rung, name: str) -> dict[str, object]:
    document = profile(rung)
    document["metadata"]["name"] = name
    for allocation in document["spec"]["allocations"]:
        [capacity] = allocation["capacity"]
        capacity["rps"] = f"{PROMISED * float(capacity['rps']):.3f}"
    return document


def _unscraped(name: str) -> dict[str, object]:
    one = variant(RUNG, name, profile_name=name)
    one["template"]["metadata"]["annotations"] = {}
    document: dict[str, object] = service(name, [one], minReplicas=1)
    return document


def _left(prometheus: Prometheus, live: Live) -> float | None:
    labels = f'namespace="{live.kube.namespace}",service="{live.name}"'
    return prometheus.value(f"infadapter_slo_error_budget_ratio{{{labels}}}")


def _firing(prometheus: Prometheus, live: Live) -> bool:
    labels = f'alertname="{FAST_BURN}",alertstate="firing",service="{live.name}"'
    return bool(prometheus.query(f"ALERTS{{{labels}}}"))
