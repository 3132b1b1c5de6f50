"""
Trials: a request that nothing but an estimate stands against is accepted now and then.

What is refused teaches nothing: after a minute in which the machine stood still an estimate can be
longer than every deadline, and nothing would run that could correct it. So where an executor is
idle such a request is served all the same, one at a time, and less and less often. It may be late,
which is the price; if it shows the estimate to be wrong, it is what is known from then on.
"""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from infadapter_scheduler.admission import EPSILON_S, Offer
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.executor import Executor, Sent

if TYPE_CHECKING:
    from infadapter_scheduler.catalogue import Entry

FIRST_S, LONGEST_S = 1.0, 30.0
"""Between two trials of a model: doubled with each, up to the longest."""

RARE_S = 600.0
"""The longest for its loads and batch sizes, since these can cost more than one late answer."""

CALM = 2.0
"""× the longest without a trial, and it begins anew."""

REFUTED = 0.5
"""Of the estimate: who took less refutes it, in time or not."""


@dataclass(slots=True)
class Trials:
    """A back-off: when a model may be tried again, at the longest after so many seconds."""

    longest_s: float = LONGEST_S
    _next_s: float = inf
    _wait_s: float = FIRST_S

    def due(self, now_s: float) -> bool:
        """Not for the first one who can't be served: a deadline may be what is wrong."""
        if self._next_s == inf:
            self._next_s = now_s + FIRST_S
        return now_s >= self._next_s

    def begin(self, now_s: float) -> None:
        calm = now_s >= self._next_s + CALM * self.longest_s
        self._wait_s = FIRST_S if calm else min(2 * self._wait_s, self.longest_s)
        self._next_s = now_s + self._wait_s


def tried(entry: "Entry", offer: Offer) -> Request | None:
    """On an idle executor that has the weights; all images of a request, where one has to be."""
    if not entry.holders:
        return None
    executor = min(entry.holders, key=lambda e: e.horizon_s(offer.now_s))
    if executor.sent or entry.costs.model.name in executor.cache.loading:
        return None
    if any(b.costs is not offer.costs or b.key_s != offer.deadline_s for b in executor.plan):
        return None
    batch = next((batch for batch in executor.plan if batch.trial), None)
    if batch is None:
        batch = _begun(entry, executor, offer)
    if batch is None or len(batch.members) >= batch.cap:
        return None
    due_s = offer.deadline_s - offer.lag_s
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    batch.become([*batch.members, request])
    executor.plan.changed(batch)
    return request


def _begun(entry: "Entry", executor: Executor, offer: Offer) -> Batch | None:
    """What is planned on a free executor is of the same request, and has not been sent yet."""
    free_s, due_s = executor.free_s(offer.now_s), offer.deadline_s - offer.lag_s
    waits = free_s > offer.now_s + offer.lag_s + EPSILON_S or free_s >= due_s
    fits = free_s + offer.costs.split_s[1] <= due_s  # what stands against it is something else
    if waits or (fits and not executor.plan.size) or not entry.trials.due(offer.now_s):
        return None
    entry.trials.begin(offer.now_s)
    batch = Batch(
        costs=offer.costs,
        executor=executor.name,
        cap=offer.costs.sizes[-1],
        key_s=offer.deadline_s,
        trial=True,
    )
    executor.plan.insert(batch)
    executor.cache.pin(batch.model)
    return batch


def tell(sent: Sent, seconds: float, end_s: float, lag_s: float) -> None:
    """
    Of a trial, so long it took. Who was in time, or took far less than expected, shows what was
    known to be wrong. That may have been luck, so each execution that follows counts as much.
    """
    in_time = end_s + lag_s <= sent.members[0].deadline_s
    if in_time or seconds < REFUTED * sent.expected_s:
        sent.refute(seconds)
    else:
        sent.learn(seconds)
