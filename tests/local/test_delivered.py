"""What pods with operating points delivered, from what our server writes of itself."""

import pytest

from infadapter_local.delivered import between, counts_of
from infadapter_scheduler import Point
from infadapter_server.serving.metrics import ServerMetrics


def served(metrics: ServerMetrics, latency_s: float, accuracy: float) -> None:
    metrics.arrivals.inc()
    metrics.count(200)
    metrics.latency_seconds.observe(latency_s)
    metrics.served_at(Point("p", accuracy, {}))


def test_late_and_refused_are_missed_and_accuracy_is_that_of_the_answers() -> None:
    metrics = ServerMetrics("ladder")
    served(metrics, 0.1, 0.5)
    before = counts_of(metrics.exposition().decode(), 0.25)
    for latency_s, accuracy in ((0.1, 0.9), (0.2, 0.7), (0.4, 0.8)):
        served(metrics, latency_s, accuracy)
    metrics.arrivals.inc()
    metrics.count(503)
    told = between(before, counts_of(metrics.exposition().decode(), 0.25), 2.0)
    assert (told.arrived_rps, told.missed_rps, told.over_s) == (2.0, 1.0, 2.0)
    assert told.accuracy == pytest.approx(0.8)


def test_where_nothing_was_answered_no_accuracy_is_told() -> None:
    counts = counts_of(ServerMetrics("ladder").exposition().decode(), 0.25)
    assert between(counts, counts, 5.0).accuracy is None
