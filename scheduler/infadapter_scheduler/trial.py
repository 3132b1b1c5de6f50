"""
Trials: a request that only an estimate prevents is accepted now and then.

Refused requests teach nothing. After a minute in which the machine stood still an estimate can
exceed every deadline, and nothing would run that could correct it. So on an idle executor such a
request is served all the same, one at a time and at growing intervals. It may be late, which is the
price; if it disproves the estimate, its time replaces it.
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
"""First and longest time between two trials of a model, s; doubled with each trial."""

RARE_S = 600.0
"""
Longest time between trials of its loads and batch sizes, s, since these can cost more than one late
answer.
"""

CALM = 2.0
"""Multiple of the longest time without a trial after which the back-off starts over."""

REFUTED = 0.5
"""Share of the estimate below which an execution disproves it, in time or not."""


@dataclass(slots=True)
class Trials:
    """A back-off: when a model may be tried again, at the longest after this many seconds."""

    longest_s: float = LONGEST_S
    _next_s: float = inf
    _wait_s: float = FIRST_S

    def due(self, now_s: float) -> bool:
        """
        Whether a trial is due; not for the first request that can't be served, since its deadline
        may be what is wrong.
        """
        if self._next_s == inf:
            self._next_s = now_s + FIRST_S
        return now_s >= self._next_s

    def begin(self, now_s: float) -> None:
        calm = now_s >= self._next_s + CALM * self.longest_s
        self._wait_s = FIRST_S if calm else min(2 * self._wait_s, self.longest_s)
        self._next_s = now_s + self._wait_s


def tried(entry: "Entry", offer: Offer) -> Request | None:
    """
    Accept the request on an idle executor that has the weights; all images of a request that has to
    be tried.
    """
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
    """
    Return the batch planned on a free executor if it belongs to the same request and has not been
    sent.
    """
    free_s, due_s = executor.free_s(offer.now_s), offer.deadline_s - offer.lag_s
    waits = free_s > offer.now_s + offer.lag_s + EPSILON_S or free_s >= due_s
    fits = free_s + offer.costs.split_s[1] <= due_s  # not prevented by the estimate
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


def record_trial(sent: Sent, seconds: float, end_s: float, lag_s: float) -> None:
    """
    Record a trial's duration. A request in time, or far faster than expected, disproves the
    estimate. It may have been luck, so each following execution counts as much.
    """
    in_time = end_s + lag_s <= sent.members[0].deadline_s
    if in_time or seconds < REFUTED * sent.expected_s:
        sent.refute(seconds)
    else:
        sent.learn(seconds)
