"""
A service at rest: the operator writes nothing, metrics are complete, and a restart changes nothing.

Its load is steady from the first seconds on and the same in all tests of this module: the operator
takes a rise into account for half an hour, during which it would change plans.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.e2e.figures import Figures, keep_log
from tests.e2e.host import ROOT
from tests.e2e.kube import WRITES, Kube, run, wait_for
from tests.e2e.live import Live, operator_pod
from tests.e2e.load import Load, failures, share, steady
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import INTERVAL_S, Rung, calm_rps

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]
STILL_S = 20
"""Wait before the five intervals without writes, so that there are nine without a new plan."""


@pytest.fixture(scope="module")
def load(glyphs: Live, rungs: dict[str, Rung]) -> Iterator[Load]:
    with steady(glyphs.url, calm_rps(rungs), seed=7) as load:
        yield load


@pytest.fixture(scope="module")
def at_rest(glyphs: Live, load: Load) -> Live:
    """The settled service. Settling once suffices: the load is the same in all tests."""
    glyphs.settle(STILL_S, 300)
    return glyphs


WRITTEN_BY_US = {
    *("inferenceservices", "variantprofiles", "deployments", "pods", "services"),
    *("configmaps", "httproutes", "events"),
}


def test_at_rest_nothing_is_written(at_rest: Live, load: Load, figures: Figures) -> None:
    """
    Five intervals of steady Poisson load. The API server counts writes of all users, but at rest
    nobody else writes to these kinds. The objects' resourceVersions are checked as well.
    """
    glyphs = at_rest
    before, writes, since_s = glyphs.versions(), write_counts(glyphs.kube), time.time()
    time.sleep(5 * INTERVAL_S + 2)
    after, now = glyphs.versions(), write_counts(glyphs.kube)
    grown = {key: count - writes.get(key, 0) for key, count in now.items()}
    written = {" ".join(key): count for key, count in grown.items() if count}
    figures.note("at rest: plan", glyphs.plan["summary"])
    figures.note("at rest: write requests in five intervals", written or 0, "0")
    figures.note("at rest: answered 2xx", share(load.since(since_s), lambda o: o.answered))
    assert after == before
    assert written == {}


def write_counts(kube: Kube) -> dict[tuple[str, str], int]:
    """Return the API server's write requests so far, by verb and kind that the operator writes."""
    counts: dict[tuple[str, str], int] = {}
    for line in kube.text("/metrics").splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if (
            labels["verb"] in WRITES
            and labels["resource"] in WRITTEN_BY_US
            and not labels.get("dry_run")
        ):
            name = "/".join(filter(None, (labels["resource"], labels["subresource"])))
            key = (labels["verb"], name)
            counts[key] = counts.get(key, 0) + int(float(line.rsplit(" ", 1)[1]))
    return counts


# --- Prometheus --------------------------------------------------------------------------------


ABSENT_AT_REST = (
    *("infadapter_blocked_total", "infadapter_progress_rest"),
    "infadapter_slo_error_budget_ratio",
)
"""Metrics without a value while no pod fails, and in the first hour of a service."""


def test_the_dashboard_shows_data(glyphs: Live, load: Load, prometheus: Prometheus) -> None:
    with contextlib.suppress(AssertionError):
        wait_for("all panels show data", lambda: not _empty_panels(glyphs, prometheus), 120)
    assert _empty_panels(glyphs, prometheus) == []


def _empty_panels(glyphs: Live, prometheus: Prometheus) -> list[str]:
    """Return the panels without data. Outcomes of requests appear a minute late, when final."""
    board = json.loads((ROOT / "helm/infadapter/dashboards/infadapter.json").read_text())
    words = {"namespace": glyphs.kube.namespace, "service": glyphs.name, "__rate_interval": "15s"}
    empty = []
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = re.sub(r"\$(\w+)", lambda m: words[m[1]], target["expr"])
            shown = any(np.isfinite(float(s["value"][1])) for s in prometheus.query(query))
            if not shown and not any(name in query for name in ABSENT_AT_REST):
                empty.append(f"{panel['title']}: {query}")
    return empty


def test_the_alerts_are_evaluated_and_quiet(glyphs: Live, prometheus: Prometheus) -> None:
    """Alerts of deleted services may still fire, because their windows reach back."""
    assert {rule["health"] for rule in prometheus.rules()} == {"ok"}
    firing = [alert["metric"] for alert in prometheus.query('ALERTS{alertstate="firing"}')]
    ours = [alert for alert in firing if alert.get("service", glyphs.name) == glyphs.name]
    assert ours == []


def test_prometheus_scrapes_operator_router_and_servers(
    glyphs: Live, operator: Kube, prometheus: Prometheus
) -> None:
    """Service discovery must find a new pod within seconds."""

    def unseen() -> set[str]:
        up = {series["metric"]["pod"] for series in prometheus.query("up == 1")}
        routers = {name for name in up if name.startswith(f"{glyphs.name}-router")}
        pods = {pod["metadata"]["name"] for pod in glyphs.pods()}
        return (pods | {operator_pod(operator)}) - up | (set() if routers else {"a router"})

    wait_for("all are scraped", lambda: not unseen(), 30)


# --- the operator ------------------------------------------------------------------------------


def test_an_operator_restart_changes_nothing(
    at_rest: Live, operator: Kube, load: Load, figures: Figures
) -> None:
    """The operator is killed under load without a grace period."""
    glyphs = at_rest
    glyphs.settle(INTERVAL_S)  # it is still at rest from the tests before
    plan, before = glyphs.plan, glyphs.versions()
    old, killed_s = operator_pod(operator), time.time()
    keep_log("operator-killed", run("kubectl", "logs", "-n", operator.namespace, old))
    operator.delete("pods", old, gracePeriodSeconds=0)
    wait_for("another operator", lambda: operator_pod(operator) != old, 90)
    figures.note("operator killed: to the next that is Ready, s", time.time() - killed_s)
    time.sleep(3 * INTERVAL_S + 5)
    after, outcomes = glyphs.versions(), load.since(killed_s)
    changed = sorted(key for key in before.keys() | after if before.get(key) != after.get(key))
    figures.note("operator killed: objects changed", changed or 0, "0")
    figures.note("operator killed: answered 2xx", share(outcomes, lambda o: o.answered))
    assert glyphs.plan["allocations"] == plan["allocations"]
    assert changed == []
    assert failures(outcomes) == []
    assert share(outcomes, lambda o: o.answered) >= 0.999
