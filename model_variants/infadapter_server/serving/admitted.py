"""Admitted requests: each is answered exactly once, by its deadline, and counted by its outcome."""

import time
from collections.abc import Callable, Iterable

from infadapter_scheduler.actions import Reason
from infadapter_server.executors.messages import Inferred
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving.lanes import Member, Sent
from infadapter_server.serving.margin import Margin
from infadapter_server.serving.metrics import Outcome, ServerMetrics
from infadapter_server.serving.refusal import ClientGone, InferenceError, Unserved
from infadapter_server.serving.tickets import Dues, Ticket

__all__ = ["Admitted"]


class Admitted:
    """The admitted requests. `gone` cancels a request in the scheduler when its client has gone."""

    def __init__(
        self,
        metrics: ServerMetrics,
        gone: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.margin = Margin()
        self._metrics, self._gone, self._clock = metrics, gone, clock
        self._tickets: dict[int, Ticket] = {}
        self._dues = Dues()

    def __len__(self) -> int:
        """Number of images that wait or are computed."""
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets.update(dict.fromkeys(ticket.numbers, ticket))
        self._dues.add(ticket)
        self._metrics.admitted.inc()

    def members(self, numbers: Iterable[int]) -> list[Member]:
        """Return the members of a batch whose clients still wait."""
        return [(n, self._tickets[n]) for n in numbers if n in self._tickets]

    def next_due_s(self) -> float:
        return self._dues.next_s()

    # --- answers -----------------------------------------------------------------------------

    def deliver(self, sent: Sent, report: Inferred, outputs: Floats) -> None:
        """Deliver the outputs of a completed batch."""
        for at, (number, ticket) in enumerate(sent.members):
            if self._tickets.pop(number, None) is None:
                continue  # nobody waits for it any more
            ticket.begin_s, ticket.end_s = report.begin_s, report.end_s
            if sent.point is not None:
                ticket.served_at(sent.point)
            if ticket.take(number, outputs[at : at + 1]) and not ticket.answer.done():
                ticket.answer.set_result(ticket.result())

    def answered(self, ticket: Ticket) -> None:
        """
        Record that the answer was written: its delay after the execution, and whether it was in
        time.
        """
        now_s = self._clock()
        self.margin.learn(now_s - ticket.end_s)
        self._metrics.queue_seconds.observe(max(0.0, ticket.begin_s - ticket.arrived_s))
        late = now_s > ticket.deadline_s
        self._metrics.outcomes[Outcome.LATE if late else Outcome.ON_TIME].inc()
        if ticket.point is not None:
            self._metrics.served_at(ticket.point)

    # --- no answers --------------------------------------------------------------------------

    def left(self, ticket: Ticket) -> None:
        """The client has gone."""
        self._end(ticket, Outcome.GONE, ClientGone())

    def failed(self, sent: Sent, error: str) -> None:
        """A batch could not be computed."""
        for _, ticket in sent.members:
            self._end(ticket, Outcome.FAILED, InferenceError(error))

    def given_up(self, number: int, reason: Reason) -> None:
        """The scheduler gives up an accepted request."""
        ticket = self._tickets.get(number)
        if ticket is not None:
            self._end(ticket, Outcome.CANCELLED, Unserved(reason, accepted=True))

    def end_late(self, now_s: float) -> None:
        """Answer no request whose deadline has passed, whatever the reason."""
        for ticket in self._dues.passed(now_s):
            self._end(ticket, Outcome.LATE, Unserved(Reason.GIVEN_UP, accepted=True))

    def _end(self, ticket: Ticket, outcome: Outcome, why: Exception) -> None:
        if ticket.answer.done():
            return
        ticket.answer.set_exception(why)
        ticket.answer.exception()  # or asyncio would log it where whoever waited has gone
        self._metrics.outcomes[outcome].inc()
        for number in ticket.numbers:
            if self._tickets.pop(number, None) is not None:
                self._gone(number)
