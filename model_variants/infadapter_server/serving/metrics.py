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

__all__ = ["ServerMetrics"]

# From 1 ms, where the smallest networks answer, to 10 s, where nobody waits any more; closest
# between 10 and 750 ms, where SLOs lie (the paper's is 750 ms).
_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0),
)
_CODES = (200, 400, 404, 408, 413, 500, 503)


class ServerMetrics:
    """The series of one server, in a registry of their own."""

    def __init__(self, variant: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._variant = variant
        self.arrivals = Counter(
            "infadapter_server_arrivals_total",
            "Inference requests, counted as they arrive, before anything is refused.",
            ("variant",),
            registry=self._registry,
        ).labels(variant)
        self._requests = Counter(
            "infadapter_server_requests_total",
            "Inference requests, by the status code of their answer.",
            ("variant", "code"),
            registry=self._registry,
        )
        for code in _CODES:
            self._requests.labels(variant, code)
        self.in_flight = self._gauge(
            "in_flight", "Inference requests that have arrived and are not answered yet."
        )
        self.load_seconds = self._gauge(
            "load_seconds", "Time to load the network and warm it up; 0 until that is done."
        )
        self.threads = self._gauge("threads", "Threads that one inference computes with.")
        self.ready = self._gauge("ready", "1 while the server wants requests, else 0.")
        self.latency_seconds = self._histogram(
            "latency_seconds", "From the arrival of a request that is answered 200 to its answer."
        )
        self.inference_seconds = self._histogram(
            "inference_seconds", "Time in the network alone, without waiting."
        )

    def count(self, code: int) -> None:
        """Count an inference request that was answered with this status code."""
        self._requests.labels(self._variant, code).inc()

    def exposition(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        gauge = Gauge(f"infadapter_server_{name}", text, ("variant",), registry=self._registry)
        return gauge.labels(self._variant)

    def _histogram(self, name: str, text: str) -> Histogram:
        histogram = Histogram(
            f"infadapter_server_{name}",
            text,
            ("variant",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        return histogram.labels(self._variant)
