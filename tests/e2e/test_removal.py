"""The end of the service that most tests share: the last test of it, as it deletes it."""

import time

import pytest

from tests.e2e.figures import Figures
from tests.e2e.kube import wait_for
from tests.e2e.live import Live
from tests.e2e.prometheus import Prometheus

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.roomy]


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
