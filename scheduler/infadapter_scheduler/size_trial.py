"""
Trials of batch sizes: one that smaller batches together beat is believed to be of use now and then.

What is believed to be slow is never chosen, so nothing corrects it: a warm-up that was disturbed at
one size, or a minute that was, costs throughput for ever. While requests are refused, such a size
is taken to be a little faster than smaller ones together, until its next execution says what it is.
If it is of any use, nobody is late for that.
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
    """When a model's next size may be tried, and which one was last."""

    back_off: Trials = field(default_factory=partial(Trials, RARE_S))
    last: int = 0


def doubt(entry: "Entry", costs: Costs, now_s: float) -> None:
    """
    Somebody is refused, and sizes are in doubt: the next is believed to be of use, if due. One that
    has only been warmed up is due at once: a quota stops that for as long as several inferences.
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
    """It was measured. Where it is of use, the next one may be soon."""
    sent.learn(seconds)
    if seconds <= sent.expected_s:
        entry.size_trials.back_off = Trials(RARE_S)
