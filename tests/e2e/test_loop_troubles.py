"""
The service of test_loop_at_rest while Prometheus fails, and its deletion.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.figures import Figures
from tests.e2e.kube import wait_for
from tests.e2e.live import EVEN_S, Live
from tests.e2e.load import even, failures, going_on, share
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import INTERVAL_S, STABILIZATION_S, Rung

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.roomy]


@pytest.fixture
def without_reserve(glyphs: Live) -> Iterator[None]:
    """Forecast without a reserve: Auto would keep one for jumps in load as in earlier tests."""

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
    """The load falls at the same time, so that a plan which is not held would shrink."""
    busy_rps = 0.7 * rungs["glyph-3"].capacity_rps()
    with going_on(glyphs.url, even(busy_rps, 3600)) as load:
        glyphs.settle(EVEN_S)
        plan, running = glyphs.plan, glyphs.specs()
        killed_s = time.time()
        prometheus.kill()
        glyphs.wait_for_condition("MetricsFresh", "False", 60)
        figures.note("Prometheus killed: to MetricsFresh=False, s", time.time() - killed_s)
        load.stop()
        outcomes = load.since(killed_s)
    with going_on(glyphs.url, even(0.2 * busy_rps, 3600)) as load:
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


# --- deletion ----------------------------------------------------------------------------------


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
