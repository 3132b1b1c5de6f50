"""
What is seen of the same service. Late, as what became of requests is counted a minute after they
came, when it is final, and after a restart of the operator anew.
"""

import contextlib
import json
import re

import numpy as np
import pytest

from tests.e2e.host import ROOT
from tests.e2e.kube import wait_for
from tests.e2e.live import Live
from tests.e2e.load import steady
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import Rung, calm_rps

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.roomy]

ABSENT = (
    *("infadapter_blocked_total", "infadapter_progress_rest"),
    "infadapter_slo_error_budget_ratio",
)
"""What has no value while all that is planned comes and in a service's first hour."""


def test_the_dashboard_shows_data(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus
) -> None:
    with steady(glyphs.url, calm_rps(rungs), seed=5), contextlib.suppress(AssertionError):
        wait_for("all panels show data", lambda: not empty_panels(glyphs, prometheus), 120)
    assert empty_panels(glyphs, prometheus) == []


def empty_panels(glyphs: Live, prometheus: Prometheus) -> list[str]:
    board = json.loads((ROOT / "helm/infadapter/dashboards/infadapter.json").read_text())
    words = {"namespace": glyphs.kube.namespace, "service": glyphs.name, "__rate_interval": "15s"}
    empty = []
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = re.sub(r"\$(\w+)", lambda m: words[m[1]], target["expr"])
            shown = any(np.isfinite(float(s["value"][1])) for s in prometheus.query(query))
            if not shown and not any(name in query for name in ABSENT):
                empty.append(f"{panel['title']}: {query}")
    return empty
