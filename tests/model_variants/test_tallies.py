"""What is noted of requests is what Prometheus is told."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from infadapter_profiles import wire
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.tallies import Sample, Tally
from tests.model_variants.serving_world import sample


def test_a_tally_is_told_once_however_often_it_is_asked_for() -> None:
    counter = Counter("c", "", registry=CollectorRegistry())
    tally = Tally(counter)
    for _ in range(3):
        tally.inc()
    tally.tell()
    tally.tell()
    tally.inc()
    tally.tell()
    assert next(iter(counter.collect())).samples[0].value == 4


def test_a_sample_keeps_a_bounded_number_and_loses_none() -> None:
    histogram = Histogram("h", "", buckets=(1.0, 2.0), registry=CollectorRegistry())
    values = Sample(histogram)
    for number in range(1000):
        values.observe(number % 3)
        assert len(values._noted) < 256
    values.tell()
    found = {s.labels.get("le"): s.value for s in next(iter(histogram.collect())).samples}
    assert (found["1.0"], found["2.0"], found["+Inf"]) == (667, 1000, 1000)


def test_each_exposition_holds_all_that_was_counted_before_it() -> None:
    metrics = ServerMetrics("tiny")
    for number in range(1, 4):
        metrics.arrivals.inc()
        metrics.refused["no_time"].inc()
        metrics.refusal_age_seconds.observe(0.001)
        metrics.count(wire.REFUSED_STATUS)
        metrics.count(418)  # of which there is no series before
        text = metrics.exposition().decode()
        assert sample(text, wire.SERVER_ARRIVALS) == number
        assert sample(text, wire.SERVER_REFUSED, reason="no_time") == number
        assert sample(text, f"{wire.SERVER_REFUSAL_AGE}_count") == number
        assert sample(text, wire.SERVER_REQUESTS, code="503") == number
        assert sample(text, wire.SERVER_REQUESTS, code="418") == number
