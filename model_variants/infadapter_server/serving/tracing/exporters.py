"""
Span exporters of OpenTelemetry's SDK, as named by the environment.

The SDK reads the other variables itself: endpoints, headers, timeouts, sampler, batch sizes,
resource.
"""

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from infadapter_server.serving.oip.metadata import NAME

__all__ = ["UnknownExporter", "provider"]

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_UNNAMED = "unknown_service"


class UnknownExporter(Exception):
    """The environment names an unknown exporter or protocol."""


def provider(names: Sequence[str], environ: Mapping[str, str]) -> TracerProvider:
    """Return the tracer provider. Raises UnknownExporter."""
    exporters = [_exporter(name, environ) for name in names]
    # It is ended by whoever runs the server, within a bound.
    made = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    for exporter in exporters:
        made.add_span_processor(BatchSpanProcessor(exporter))
    return made


def _resource() -> Resource:
    found = Resource.create()
    unnamed = str(found.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED)
    return found.merge(Resource({SERVICE_NAME: NAME})) if unnamed else found


def _exporter(name: str, environ: Mapping[str, str]) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    if name != "otlp":
        raise UnknownExporter(f"OTEL_TRACES_EXPORTER {name[:80]!r} must be otlp, console or none.")
    given = (environ.get(variable, "").strip() for variable in _PROTOCOLS)
    protocol = next(filter(None, given), "http/protobuf")
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

        return Http()
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc()
    raise UnknownExporter(f"{_PROTOCOLS[1]} {protocol[:80]!r} must be http/protobuf or grpc.")
