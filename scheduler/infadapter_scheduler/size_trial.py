"""
Trials of batch sizes: a size that is slower than smaller batches together is used again now and
then.

A size believed to be slow is never chosen, so nothing corrects the estimate: a disturbed warm-up of
one size, or a disturbed minute, would cost throughput for ever. While requests are refused, such a
size is assumed to be slightly faster than smaller ones together, until its next execution gives its
time. No request becomes late if it is of any use.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from infadapter_scheduler.executor import Sent
from infadapter_scheduler.model import Costs
from infadapter_scheduler.trial import RARE_S, Trials

if TYPE_CHECKING:
    from infadapter_scheduler.catalogue import Entry


@dataclass(slots=True)
class SizeTrials:
    """When a model's next size may be tried, and which was the last."""

    back_off: Trials = field(default_factory=partial(Trials, RARE_S))
    last: int = 0


def doubt(entry: "Entry", costs: Costs, now_s: float) -> None:
    """
    Start a trial of the next doubted size, if due, because a request is refused. A size that has
    only been warmed up is due at once: a quota stops its warm-up for as long as several inferences.
    """
    if not entry.holders:
        return
    new = next((size for size in costs.doubted if costs.only_warmed_up(size)), None)
    if new is not None:
        costs.guess(new)
        return
    if not entry.size_trials.back_off.due(now_s):
        return
    tried = entry.size_trials
    tried.back_off.begin(now_s)
    tried.last = next((b for b in costs.doubted if b > tried.last), costs.doubted[0])
    costs.guess(tried.last)


def settle(entry: "Entry", sent: Sent, seconds: float) -> None:
    """Record a trial's measurement. If the size is of use, the next one may be tried soon."""
    sent.learn(seconds)
    if seconds <= sent.expected_s:
        entry.size_trials.back_off = Trials(RARE_S)
