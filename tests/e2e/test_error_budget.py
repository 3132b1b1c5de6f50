"""
An error budget that burns, with its hour shortened to a minute: for the operator by a setting, for
Prometheus by the chart's rules with shorter windows.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e import burning as service
from tests.e2e.figures import Figures
from tests.e2e.host import ROOT
from tests.e2e.kube import Kube, wait_for
from tests.e2e.live import Live, planned_capacity_rps
from tests.e2e.load import Load
from tests.e2e.prometheus import Prometheus
from tests.e2e.release import WINDOW_S
from tests.e2e.services import Rung

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500), pytest.mark.roomy]

SHORTER = {"[5m]": "[10s]", "[1h]": f"[{WINDOW_S}s]", "[6h]": f"[{3 * WINDOW_S}s]"}
FAST_BURN = "InfadapterErrorBudgetFastBurn"


@pytest.fixture
def hour_of_minutes(prometheus: Prometheus) -> Iterator[None]:
    rules = (ROOT / "helm/infadapter/files/rules.yaml").read_text()
    for window, shorter in SHORTER.items():
        rules = rules.replace(window, shorter)
    prometheus.add_rules("minutes", rules.replace("name: infadapter", "name: minutes"))
    yield
    prometheus.remove_rules("minutes")


@pytest.mark.usefixtures("hour_of_minutes")
def test_a_burning_budget_makes_room_alerts_and_comes_back(
    burning: Load,
    kube: Kube,
    rungs: dict[str, Rung],
    prometheus: Prometheus,
    deleted: list[Live],
    figures: Figures,
) -> None:
    live, rung = Live(kube, service.NAME), rungs[service.RUNG]
    try:
        wait_for("a window is known", lambda: live.condition("ErrorBudgetLeft") == "True", 420)
        busy = service.busy(live, rung)
        _burns(live, rung, prometheus, figures)
        busy.stop()
        _comes_back(live, prometheus, figures)
        burning.stop()
    finally:
        kube.delete("inferenceservices", live.name)
        deleted.append(live)


def _burns(live: Live, rung: Rung, prometheus: Prometheus, figures: Figures) -> None:
    began_s = time.time()
    live.wait_for_condition("ErrorBudgetLeft", "False", 240)
    figures.note("error budget: to Burning, s", time.time() - began_s)
    wait_for("the reserve is up", lambda: _told(live, "reserveFactor") > 1, 30)
    wait_for("the alert fires", lambda: _firing(prometheus, live), 240)
    figures.note("error budget: to the alert, s", time.time() - began_s)
    usual_rps = service.usual_rps(rung)
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


def _left(prometheus: Prometheus, live: Live) -> float | None:
    labels = f'namespace="{live.kube.namespace}",service="{live.name}"'
    return prometheus.value(f"infadapter_slo_error_budget_ratio{{{labels}}}")


def _firing(prometheus: Prometheus, live: Live) -> bool:
    labels = f'alertname="{FAST_BURN}",alertstate="firing",service="{live.name}"'
    return bool(prometheus.query(f"ALERTS{{{labels}}}"))
