"""
W3C Trace Context: the trace of a request, and the span in its answer.
https://www.w3.org/TR/trace-context/.

Malformed, duplicate or oversized headers count as absent: they are no reason to refuse a request.
"""

from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["RESPONSE", "parent_of", "response"]

RESPONSE = "traceresponse"
"""Header of an answer, in the form of traceparent: the trace and span that produced it."""

LONGEST_PARENT, LONGEST_STATE = 128, 512
"""
Longest headers accepted, in characters; the latter is the minimum that the recommendation asks to
propagate.
"""

_PARENT, _STATE = "traceparent", "tracestate"
_LONGEST = {_PARENT: LONGEST_PARENT, _STATE: LONGEST_STATE}
_PROPAGATOR = TraceContextTextMapPropagator()


def parent_of(headers: Iterable[tuple[str | bytes, str | bytes]]) -> Context:
    """Return the caller's span from headers with lower-case names, if there is one."""
    found: dict[str, list[str]] = {_PARENT: [], _STATE: []}
    for name, value in headers:
        key = name.decode("latin-1") if isinstance(name, bytes) else name
        if key in found:
            found[key].append(value.decode("latin-1") if isinstance(value, bytes) else value)
    if len(found[_PARENT]) != 1:
        return Context()
    # A list may come in several headers, which are one.
    carrier = {name: ",".join(values) for name, values in found.items() if values}
    kept = {name: text for name, text in carrier.items() if len(text) <= _LONGEST[name]}
    return _PROPAGATOR.extract(kept, Context())


def response(span: SpanContext) -> str:
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
