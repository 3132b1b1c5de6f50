"""
Trials of batch sizes: one that smaller batches together beat is believed to be of use now and then.

What is believed to be slow is never chosen, so nothing corrects it: a warm-up that was disturbed at
one size, or a minute that was, costs throughput for ever. While requests are refused, such a size
is taken to be a little faster than smaller ones together, until its next execution says what it is.
If it is of any use, nobody is late for that.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infadapter_scheduler.executor import Sent
from infadapter_scheduler.model import Costs
from infadapter_scheduler.trial import Trials

if TYPE_CHECKING:
    from infadapter_scheduler.catalogue import Entry

LONGEST_S = 600.0
"""Between two trials of a model's sizes: a batch may be late for each, and those behind it."""


def _back_off() -> Trials:
    return Trials(LONGEST_S)


@dataclass(slots=True)
class SizeTrials:
    """When a model's next size may be tried, and which one was last."""

    back_off: Trials = field(default_factory=_back_off)
    last: int = 0


def doubt(entry: "Entry", costs: Costs, now_s: float) -> None:
    """Somebody is refused for time: the next size in doubt is believed to be of use, if it's due."""
    if not costs.doubted or not entry.holders or not entry.size_trials.back_off.due(now_s):
        return
    tried = entry.size_trials
    tried.back_off.begin(now_s)
    tried.last = next((b for b in costs.doubted if b > tried.last), costs.doubted[0])
    costs.guess(tried.last)


def settle(entry: "Entry", sent: Sent, seconds: float) -> None:
    """It was measured. Where it is of use, larger ones are believed to be of none beside it."""
    sent.learn(seconds)
    if seconds <= sent.expected_s:
        entry.size_trials.back_off = _back_off()
