"""The server's Prometheus metrics. Every series exists, at zero, before the first request."""

from collections.abc import Iterable
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    Summary,
    generate_latest,
)

from infadapter_profiles import wire
from infadapter_scheduler.actions import Reason
from infadapter_scheduler.points import Point
from infadapter_server.serving.refusal import Cause
from infadapter_server.serving.tallies import Sample, Tally

__all__ = ["Outcome", "ServerMetrics"]

_CODES = (200, 400, 404, 408, 413, 415, 500, wire.REFUSED_STATUS)
_REASONS = (*(reason for reason in Reason if not reason.breaks_promise), *Cause)
_BATCHES = tuple(float(2**power) for power in range(11))
_ERROR_BOUNDS_S = tuple(1e-4 * 2**power for power in range(14))


class Outcome(StrEnum):
    """The outcome of an admitted request."""

    ON_TIME = "on_time"
    LATE = "late"
    CANCELLED = "cancelled"  # given up before its deadline
    FAILED = "failed"
    GONE = "gone"


class ServerMetrics:
    """The series of one server, in a registry of their own."""

    def __init__(self, variant: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._variant = variant
        self._noted: list[Tally | Sample] = []
        self._add_requests()
        self._add_executions()
        self._add_state()

    def _add_requests(self) -> None:
        self.arrivals = self._tally(
            self._counter(
                wire.SERVER_ARRIVALS,
                "Inference requests, counted as they arrive, before anything is refused.",
            )
        )
        requests = self._counters(
            wire.SERVER_REQUESTS, "Inference requests, by the status code of their answer.", "code"
        )
        self._requests = {
            code: self._tally(requests.labels(self._variant, code)) for code in _CODES
        }
        self._any_code = requests
        self.admitted = self._tally(
            self._counter(
                wire.SERVER_ADMITTED, "Inference requests that were promised an answer in time."
            )
        )
        refused = self._counters(
            wire.SERVER_REFUSED, "Inference requests without service, by the reason.", "reason"
        )
        self.refused = {
            str(why): self._tally(refused.labels(self._variant, str(why))) for why in _REASONS
        }
        outcomes = self._counters(
            wire.SERVER_OUTCOMES, "Admitted requests, by what became of them.", "outcome"
        )
        self.outcomes = {
            kind: self._tally(outcomes.labels(self._variant, str(kind))) for kind in Outcome
        }
        self._points = self._counters(
            wire.SERVER_POINTS, "Answered requests, by the operating point that answered.", "point"
        )
        self._accuracy = Summary(
            wire.SERVER_ACCURACY,
            "Profiled accuracy of the operating points that answered.",
            ("variant",),
            registry=self._registry,
        ).labels(self._variant)
        self.latency_seconds = self._sample(
            wire.SERVER_LATENCY, "From the arrival of a request that is answered 200 to its answer."
        )
        self.refusal_age_seconds = self._sample(
            wire.SERVER_REFUSAL_AGE, "From the arrival of a request that is refused to its refusal."
        )
        self.queue_seconds = self._sample(
            wire.SERVER_QUEUE, "From the arrival of a request to the start of its last image."
        )

    def _add_executions(self) -> None:
        self.inference_seconds = self._histogram(
            wire.SERVER_INFERENCE, "Time in the network alone, without waiting."
        )
        self.batch_images = self._histogram(
            wire.SERVER_BATCH, "Images in one execution.", bounds=_BATCHES
        )
        error = Histogram(
            wire.SERVER_ESTIMATE_ERROR,
            "By how much executions missed their estimate: over, or under it.",
            ("variant", "direction"),
            buckets=_ERROR_BOUNDS_S,
            registry=self._registry,
        )
        self.over_seconds = error.labels(self._variant, "over")
        self.under_seconds = error.labels(self._variant, "under")
        self.executions_failed = self._counter(
            wire.SERVER_EXECUTIONS_FAILED, "Executions in which the network raised an error."
        )
        self.loads = self._counter(wire.SERVER_LOADS, "Loads of weights that were completed.")
        self.evictions = self._counter(
            wire.SERVER_EVICTIONS, "Unloads of weights that made room for others."
        )

    def _add_state(self) -> None:
        self.in_flight = self._gauge(
            wire.SERVER_IN_FLIGHT, "Inference requests that have arrived and are not answered yet."
        )
        self.load_seconds = self._gauge(
            wire.SERVER_LOAD_TIME, "Time to load the network and warm it up; 0 until that is done."
        )
        self.threads = self._gauge(wire.SERVER_THREADS, "Threads that one inference computes with.")
        self.ready = self._gauge(wire.SERVER_READY, "1 while the server wants requests, else 0.")
        self.failing = self._gauge(
            wire.SERVER_FAILING, "1 while the network fails at whatever it is given."
        )
        self.stuck = self._gauge(
            wire.SERVER_STUCK, "Executors that have not come back from an execution or a load."
        )
        self.executors = self._gauge(wire.SERVER_EXECUTORS, "Executors that take requests.")
        self.executors_lost = self._counter(
            wire.SERVER_EXECUTORS_LOST, "Executors that were lost, each time that one was."
        )
        self.resident_models = self._gauge(
            wire.SERVER_RESIDENT_MODELS, "Models whose weights are in an executor's memory."
        )
        self.resident_bytes = self._gauge(wire.SERVER_RESIDENT_BYTES, "Bytes of their weights.")
        self.held_bytes = self._gauge(
            wire.SERVER_HELD, "Bytes of bodies that are being read and of tensors that wait."
        )
        self.connections = self._gauge(wire.SERVER_CONNECTIONS, "Open connections.")

    def count(self, code: int) -> None:
        """Count an inference request answered with this status code."""
        tally = self._requests.get(code)
        (tally or self._any_code.labels(self._variant, code)).inc()

    def know_points(self, names: Iterable[str]) -> None:
        """Create the series of operating points."""
        for name in names:
            self._points.labels(self._variant, name)

    def served_at(self, point: Point) -> None:
        """Count a request answered by an operating point."""
        self._points.labels(self._variant, point.name).inc()
        self._accuracy.observe(point.accuracy)

    def executed(self, images: int, took_s: float, expected_s: float, told_s: float) -> None:
        """Count a completed execution; `told_s` is compared with the estimate."""
        self.inference_seconds.observe(took_s)
        self.batch_images.observe(images)
        if told_s <= expected_s:
            self.over_seconds.observe(expected_s - told_s)
        else:
            self.under_seconds.observe(told_s - expected_s)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        for noted in self._noted:
            noted.tell()
        return generate_latest(self._registry)

    def _tally(self, counter: Counter) -> Tally:
        tally = Tally(counter)
        self._noted.append(tally)
        return tally

    def _sample(self, name: str, text: str) -> Sample:
        sample = Sample(self._histogram(name, text))
        self._noted.append(sample)
        return sample

    def _counters(self, name: str, text: str, label: str) -> Counter:
        return Counter(name, text, ("variant", label), registry=self._registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, ("variant",), registry=self._registry).labels(self._variant)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ("variant",), registry=self._registry).labels(self._variant)

    def _histogram(
        self, name: str, text: str, bounds: tuple[float, ...] = wire.LATENCY_BOUNDS_S
    ) -> Histogram:
        histogram = Histogram(name, text, ("variant",), buckets=bounds, registry=self._registry)
        return histogram.labels(self._variant)
