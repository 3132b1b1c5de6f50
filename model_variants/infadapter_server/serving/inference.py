"""
Inference as shared by all front ends: what is served, limits, and metrics.

A request has a deadline from its arrival. The driver admits or refuses it, and a small body is
parsed only after admission.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from infadapter_server.networks.signatures import Floats
from infadapter_server.serving import bodies
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.floors import floor_of
from infadapter_server.serving.heads import Head
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.parsing import Parsing, later, says_terms
from infadapter_server.serving.protocol import BadTensor, Question
from infadapter_server.serving.refusal import (
    Cause,
    InferenceError,
    Refusal,
    Unserved,
    inference_failed,
    try_again,
)
from infadapter_server.serving.replies import Reply, answer, refused, unserved_reply
from infadapter_server.serving.silence import Arrivals
from infadapter_server.serving.tickets import Ticket

__all__ = ["Admitted", "Identity", "Inference", "Limits"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the server, beyond which it refuses."""

    batch: int = 8  # images in one request
    body_s: float = 10.0  # time for a request's body to arrive
    held_bytes: int = 128 * 2**20  # bodies that are being read, and tensors that wait
    deadlines: Deadlines = field(default_factory=Deadlines)

    @property
    def longest_wait_s(self) -> float:
        """Time within which every request is answered."""
        return max(self.body_s, self.deadlines.longest_s)


class Admitted(NamedTuple):
    """A request that was promised an answer."""

    identity: Identity
    question: Question
    ticket: Ticket


@dataclass(slots=True, kw_only=True)
class Inference:
    """Answers inference requests. `draining` and `closed` are set by whoever stops the server."""

    variant: str  # of answers that no model gave
    models: Mapping[str, Identity]
    limits: Limits
    driver: Driver
    metrics: ServerMetrics
    clock: Callable[[], float] = time.monotonic
    draining: bool = False  # still answers, but wants no more requests
    closed: bool = False  # answers nothing any more
    in_flight: int = field(default=0, init=False)
    arrivals: Arrivals = field(default_factory=Arrivals, init=False)
    budget: bodies.Budget = field(init=False)
    parsing: Parsing = field(default_factory=Parsing, init=False)

    def __post_init__(self) -> None:
        self.budget = bodies.Budget(max(self.limits.held_bytes, 2 * self._longest_body()))

    def start(self) -> None:
        """Start loading; called on the running event loop."""
        self.parsing.start(self._longest_body())
        self.driver.start()

    async def stop(self, within_s: float) -> bool:
        """Stop the executors; False if one did not come back."""
        self.parsing.stop()
        return await self.driver.stop(within_s)

    def _longest_body(self) -> int:
        return max((self.longest_body(known) for known in self.models.values()), default=0)

    @property
    def ready(self) -> bool:
        """Whether requests are accepted."""
        return self.driver.ready and not self.draining

    def ready_for(self, model: str) -> bool:
        """
        Whether the model's weights are in memory; a model that can be loaded on demand isn't ready
        before.
        """
        return self.ready and self.driver.holds(model)

    def export(self) -> bytes:
        """Return the current metrics."""
        self.metrics.in_flight.set(self.in_flight)
        self.metrics.ready.set(self.ready)
        self.metrics.held_bytes.set(self.budget.held)
        self.driver.measure()
        return self.metrics.exposition()

    def longest_body(self, identity: Identity) -> int:
        return bodies.longest_body(identity.signature, self.limits.batch)

    def find(self, model: str, version: str | None) -> Identity:
        """
        Return the model in the path. Raises Refusal if the model, or a given version, is not
        served.
        """
        identity = self.models.get(model)
        if identity is None:
            there = ", ".join(list(self.models)[:8])
            raise Refusal(404, f"There is no model {model[:80]!r} here; there is {there}.")
        if version is not None and version != identity.variant:
            sentence = f"There is no version {version[:80]!r} here; there is {identity.variant}."
            raise Refusal(404, sentence)
        return identity

    # --- one request -------------------------------------------------------------------------

    def begin(self, seen_s: float) -> float:
        """
        Count an arrival and return its time: when its bytes were received, before the event loop
        handled other connections.
        """
        self.metrics.arrivals.inc()
        self.in_flight += 1
        arrived_s = min(self.clock(), seen_s)
        self.arrivals.count(arrived_s)
        return arrived_s

    def finish(self, hold: bodies.Hold) -> None:
        """Release what the request held; it is answered, or its client has gone."""
        hold.release()
        self.in_flight -= 1

    def welcome(self, model: str, version: str | None) -> Identity:
        """Return the requested model. Raises Refusal, also while nothing can be answered."""
        identity = self.find(model, version)
        if self.closed:
            raise try_again(Cause.CLOSED, "The server is shutting down.")
        if not self.driver.loaded:
            raise try_again(Cause.LOADING, "The model is still loading.")
        return identity

    def room(self, identity: Identity) -> int:
        """Return how long a body may be."""
        longest = self.longest_body(identity)
        self.budget.allow(longest)
        return longest

    def admit(
        self,
        identity: Identity,
        head: Head,
        body: bytes,
        arrived_s: float,
        hold: bodies.Hold,
        question: Question | None = None,
    ) -> Admitted:
        """
        Ask the driver to admit the request.

        The body is parsed after admission, unless it was parsed before or has terms of its own.
        Raises Refusal, Unserved and BadTensor.
        """
        parse = later(body, head.json_length, identity.signature, self.limits.batch)
        if question is None and says_terms(body):
            question = parse()
        deadlines = self.limits.deadlines
        if question is None:
            within_s, least = deadlines.of(head.deadline), floor_of(head.floor, None)
        else:
            within_s = deadlines.within(head.deadline, question.timeout_us)
            least = floor_of(head.floor, question.accuracy_floor)

        def read() -> Floats:
            nonlocal question
            question = question or parse()
            hold.become(question.batch.nbytes)
            return question.batch

        ticket = self.driver.ask(identity.model, arrived_s, within_s, read, least)
        assert question is not None
        return Admitted(identity, question, ticket)

    def reply_to(self, admitted: Admitted) -> Reply:
        """Return the result of an admitted request. Raises Refusal, Unserved and ClientGone."""
        identity, question, ticket = admitted
        try:
            return answer(ticket.answer.result(), question, identity, ticket)
        except InferenceError:
            raise inference_failed() from None
        except BadTensor as error:  # JSON cannot carry it
            self.driver.answered(ticket)
            raise Refusal(400, str(error)) from None

    def refusal(self, error: Exception, arrived_s: float) -> Reply:
        """Return the reply to a request without a result; internal errors are logged."""
        match error:
            case Unserved():
                if not error.accepted:  # else it counts as late or cancelled
                    self.count_refused(error.reason, arrived_s)
                return unserved_reply(error, self.variant)
            case Refusal():
                refusal = error
            case BadTensor():
                refusal = Refusal(400, str(error))
            case _:
                _log.error("A request met a mistake of the server.", exc_info=error)
                refusal = Refusal(500, "The server made a mistake; its log says which.")
        self.count_refused(refusal.reason, arrived_s)
        return refused(refusal, self.variant)

    def count_refused(self, reason: str, arrived_s: float) -> None:
        """Count the refusal by its reason, if it is for lack of room or time."""
        tally = self.metrics.refused.get(reason)
        if tally is not None:
            tally.inc()
            self.metrics.refusal_age_seconds.observe(self.clock() - arrived_s)

    def ended(self, reply: Reply, arrived_s: float) -> None:
        """Count a reply that was written."""
        self.metrics.count(reply.status)
        if reply.ticket is not None:
            self.metrics.latency_seconds.observe(self.clock() - arrived_s)
            self.driver.answered(reply.ticket)
