"""
Spans: one per request, with its queueing and executions as children, and one per batch.

A batch serves requests of several traces. Its span is in the trace of its first sampled request and
linked to all; the execution span of each request is linked to its batch.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    set_span_in_context,
)

from infadapter_server.executors.messages import Inferred, Outcome
from infadapter_server.serving.lanes import Sent
from infadapter_server.serving.tickets import Ticket
from infadapter_server.serving.tracing import context

__all__ = ["Request", "Tracing"]

Attributes = Mapping[str, str | int]
_current: "ContextVar[Request | None]" = ContextVar("traced request", default=None)
_log = logging.getLogger(__name__)
_LONGEST_ERROR = 200
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Request:
    """A request's span, from arrival to answer."""

    span: Span
    inside: Context

    @property
    def response(self) -> str:
        """The value of the answer's traceresponse header."""
        return context.response(self.span.get_span_context())

    def end(self, attributes: Attributes, failure: str = "") -> None:
        _current.set(None)  # a stream may be ended from another context than its own
        self.span.set_attributes(attributes)
        if failure:
            self.span.set_attribute("error.type", failure)
            self.span.set_status(StatusCode.ERROR)
        self.span.end()


class Tracing:
    """The driver's observer that creates the spans; on the event loop only."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("infadapter_server", version("infadapter"))
        self._traced: dict[Ticket, Request] = {}

    def begin(
        self,
        name: str,
        headers: Iterable[tuple[str | bytes, str | bytes]],
        attributes: Attributes,
    ) -> Request:
        """Start the span of a request; what the current task admits from now on belongs to it."""
        parent = context.parent_of(headers)
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        request = Request(span, set_span_in_context(span, parent))
        _current.set(request)
        return request

    def admitted(self, ticket: Ticket) -> None:
        request = _current.get()
        if request is not None and request.span.is_recording():
            self._traced[ticket] = request
            ticket.answer.add_done_callback(lambda _: self._traced.pop(ticket, None))

    def executed(self, executor: str, sent: Sent, report: Inferred) -> None:
        """
        Record an execution, before its requests are answered; failing spans never prevent answers.
        """
        try:
            self._executed(executor, sent, report)
        except Exception:  # noqa: BLE001 - whatever the SDK raises
            _log.exception("A batch could not be traced.")

    def _executed(self, executor: str, sent: Sent, report: Inferred) -> None:
        images: dict[Ticket, int] = {}
        for _, ticket in sent.members:
            if ticket in self._traced:
                images[ticket] = images.get(ticket, 0) + 1
        if not images or report.outcome is Outcome.TOO_LATE:
            return
        ran = _Ran(sent, report, time.time_ns() - time.monotonic_ns())
        batch = self._batch(executor, ran, [self._traced[ticket] for ticket in images])
        for ticket, count in images.items():
            inside = self._traced[ticket].inside
            if not ticket.begin_s:  # nothing of it was executed before
                since_ns = min(ran.wall_ns(ticket.arrived_s), ran.begin_ns)
                self._tracer.start_span("queue", inside, start_time=since_ns).end(ran.begin_ns)
            span = self._tracer.start_span(
                "execution",
                inside,
                attributes={**ran.attributes, "infadapter.request.images": count},
                links=[Link(batch)],
                start_time=ran.begin_ns,
            )
            ran.end(span)

    def _batch(self, executor: str, ran: "_Ran", requests: list[Request]) -> SpanContext:
        spans = [request.span.get_span_context() for request in requests]
        span = self._tracer.start_span(
            f"batch {ran.sent.run.model}",
            requests[0].inside,
            attributes={**ran.attributes, "infadapter.executor": executor},
            links=[Link(each) for each in {each.span_id: each for each in spans}.values()],
            start_time=ran.begin_ns,
        )
        ran.end(span)
        return span.get_span_context()

    def stop(self, within_s: float) -> None:
        """Send the remaining spans, waiting no longer than `within_s`."""
        # The SDK's own end waits for the time-outs of its exporters.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(within_s)


@dataclass(frozen=True, slots=True)
class _Ran:
    """An execution. Executors use the monotonic clock, spans the calendar's."""

    sent: Sent
    report: Inferred
    ahead_ns: int  # the calendar of the monotonic clock

    @property
    def attributes(self) -> dict[str, str | int]:
        images = len(self.sent.members)
        return {"infadapter.model": self.sent.run.model, "infadapter.batch.images": images}

    @property
    def begin_ns(self) -> int:
        return self.wall_ns(self.report.begin_s)

    def wall_ns(self, instant_s: float) -> int:
        return int(instant_s * _NS) + self.ahead_ns

    def end(self, span: Span) -> None:
        if self.report.outcome is Outcome.FAILED:
            span.set_status(StatusCode.ERROR, self.report.error[:_LONGEST_ERROR])
        span.end(self.wall_ns(self.report.end_s))
