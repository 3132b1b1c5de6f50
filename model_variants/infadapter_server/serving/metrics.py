"""What the server tells Prometheus. Every series exists, at zero, before the first request."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from infadapter_profiles import wire

__all__ = ["ServerMetrics"]

_CODES = (200, 400, 404, 408, 413, 415, 500, wire.REFUSED_STATUS)


class ServerMetrics:
    """The series of one server, in a registry of their own."""

    def __init__(self, variant: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._variant = variant
        self.arrivals = Counter(
            wire.SERVER_ARRIVALS,
            "Inference requests, counted as they arrive, before anything is refused.",
            ("variant",),
            registry=self._registry,
        ).labels(variant)
        self._requests = Counter(
            wire.SERVER_REQUESTS,
            "Inference requests, by the status code of their answer.",
            ("variant", "code"),
            registry=self._registry,
        )
        for code in _CODES:
            self._requests.labels(variant, code)
        self.in_flight = self._gauge(
            wire.SERVER_IN_FLIGHT, "Inference requests that have arrived and are not answered yet."
        )
        self.load_seconds = self._gauge(
            wire.SERVER_LOAD_TIME, "Time to load the network and warm it up; 0 until that is done."
        )
        self.threads = self._gauge(wire.SERVER_THREADS, "Threads that one inference computes with.")
        self.ready = self._gauge(wire.SERVER_READY, "1 while the server wants requests, else 0.")
        self.latency_seconds = self._histogram(
            wire.SERVER_LATENCY, "From the arrival of a request that is answered 200 to its answer."
        )
        self.inference_seconds = self._histogram(
            wire.SERVER_INFERENCE, "Time in the network alone, without waiting."
        )

    def count(self, code: int) -> None:
        """Count an inference request that was answered with this status code."""
        self._requests.labels(self._variant, code).inc()

    def exposition(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        gauge = Gauge(name, text, ("variant",), registry=self._registry)
        return gauge.labels(self._variant)

    def _histogram(self, name: str, text: str) -> Histogram:
        histogram = Histogram(
            name,
            text,
            ("variant",),
            buckets=wire.LATENCY_BOUNDS_S,
            registry=self._registry,
        )
        return histogram.labels(self._variant)
