"""
Trials of loads: weights whose load only an estimate prevents are loaded now and then.

A request that cannot wait for a load, as estimated, is refused, and a model that is never loaded
teaches nothing. After one load from a disturbed disk a model would stay cold for ever where others
have more demand. So it is loaded even over models with more demand, if no accepted request becomes
late. No request is accepted for the trial, so none is late because of it: it costs one load, and
another for what was evicted. If it disproves the estimate, its duration replaces the estimate.
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

CALM = 200.0
"""
Multiple of a tried load's duration during which none is tried again on that executor: at most a
hundredth of its time, with the reload of what was evicted.
"""


def tried_load(
    state: State, entry: Entry, executors: Iterable[Executor], offer: Offer
) -> list[Action]:
    """
    Return the actions of a trial for a model that is loaded nowhere, on the first of these
    executors that is idle.
    """
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
    """Whether the load is too long even for an idle executor, as estimated."""
    takes_s = entry.costs.load.mean + offer.costs.split_s[1] + 4 * offer.lag_s
    return offer.now_s + takes_s > offer.deadline_s


def _may(entry: Entry, executor: Executor, offer: Offer) -> bool:
    """Whether requests would be in time if the model were loaded."""
    now_s, load_s = offer.now_s, entry.costs.load.mean
    if now_s < max(executor.no_trial_until_s, executor.load_booked_s):
        return False
    there_s = max(executor.horizon_s(now_s), now_s + offer.lag_s) + offer.costs.split_s[1]
    in_time = there_s + offer.lag_s <= offer.deadline_s
    return in_time and executor.late_by_load_s(load_s, now_s) <= 0


def record_load(entry: Entry, executor: Executor, event: Loaded) -> None:
    """
    Update the estimate with a load's duration. A trial disproves the estimate if the request would
    have been in time, or the load took far less.
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
