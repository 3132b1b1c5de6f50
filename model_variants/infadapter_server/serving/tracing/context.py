"""W3C Trace Context: whose trace a request belongs to, and what its answer says of its span.

https://www.w3.org/TR/trace-context/. What is malformed, doubled or longer than any that is meant
counts as absent: a client's trace is no reason to refuse its request.
"""

from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["RESPONSE", "parent_of", "response"]

RESPONSE = "traceresponse"
"""Of an answer, in the form of traceparent: the trace and the span that it came of."""

LONGEST_PARENT, LONGEST_STATE = 128, 512
"""Characters; the latter is what the recommendation wants to be kept."""

_PARENT, _STATE = "traceparent", "tracestate"
_LONGEST = {_PARENT: LONGEST_PARENT, _STATE: LONGEST_STATE}
_PROPAGATOR = TraceContextTextMapPropagator()


def parent_of(headers: Iterable[tuple[str | bytes, str | bytes]]) -> Context:
    """The caller's span, if the headers name one; their names are in lower case."""
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
