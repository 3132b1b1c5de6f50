"""
Trials of loads: weights that only an estimate stands against are loaded now and then.

Who can't wait for a load, as estimated, is refused, and what isn't loaded teaches nothing: after a
load from a disturbed disk a model would be cold for ever, where others are asked for more. So it is
loaded over what is asked for more as well, where that makes nobody late who was accepted. Nobody is
accepted for it, so nobody is late for it either: it costs the time of a load, and of another one
for what is evicted. If it shows the estimate to be wrong, it is what is known from then on.
"""

from collections.abc import Iterable
from math import inf

from infadapter_scheduler.actions import Action
from infadapter_scheduler.admission import Offer
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.events import Loaded
from infadapter_scheduler.executor import Executor, TriedLoad
from infadapter_scheduler.loading import load
from infadapter_scheduler.state import State
from infadapter_scheduler.trial import REFUTED

CALM = 100.0
"""× what a load took that was tried, no other is tried there: a hundredth of its time at most."""


def tried_load(
    state: State, entry: Entry, executors: Iterable[Executor], offer: Offer
) -> list[Action]:
    """It is nowhere: for the next who ask for it, on the first of these with nothing else to do."""
    if not _too_long(entry, offer) or not entry.load_trials.due(offer.now_s):
        return []
    for executor in executors:
        if not _may(entry, executor, offer):
            continue
        actions = load(entry, executor, state.models, offer.now_s)
        if actions is not None:
            entry.load_trials.begin(offer.now_s)
            in_time_s = offer.deadline_s - offer.lag_s - offer.costs.split_s[1]
            executor.tried_load = TriedLoad(entry.costs.model.name, in_time_s)
            executor.no_trial_until_s = inf
            return actions
    return []


def _too_long(entry: Entry, offer: Offer) -> bool:
    """As estimated, also for an executor that does nothing else; told of its end, it can begin."""
    takes_s = entry.costs.load.mean + offer.costs.split_s[1] + 4 * offer.lag_s
    return offer.now_s + takes_s > offer.deadline_s


def _may(entry: Entry, executor: Executor, offer: Offer) -> bool:
    """Were it there, its requests would be in time."""
    now_s, load_s = offer.now_s, entry.costs.load.mean
    if now_s < max(executor.no_trial_until_s, executor.load_booked_s):
        return False
    there_s = max(executor.horizon_s(now_s), now_s + offer.lag_s) + offer.costs.split_s[1]
    in_time = there_s + offer.lag_s <= offer.deadline_s
    return in_time and executor.late_by_load_s(load_s, now_s) <= 0


def tell_load(entry: Entry, executor: Executor, event: Loaded) -> None:
    """
    So long it took. One that was tried was wrong where whoever asked would have been in time, or it
    took far less.
    """
    seconds, tried = event.end_s - event.start_s, executor.tried_load
    ours = tried is not None and tried.model == event.model
    if tried is not None and ours:
        executor.tried_load = None
        executor.no_trial_until_s = event.end_s + CALM * seconds
        ours = event.end_s <= tried.in_time_s or seconds < REFUTED * entry.costs.load.mean
    if not event.done:
        return
    if ours:
        entry.costs.load.restart(seconds)
    else:
        entry.costs.load.add(seconds)
