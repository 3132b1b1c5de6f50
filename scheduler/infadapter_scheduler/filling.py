"""Filling: a batch that runs takes along others of its model, where that makes nobody late."""

from itertools import islice

from infadapter_scheduler.admission import TIE_S
from infadapter_scheduler.batch import Batch
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.state import State

DONORS = 8
"""Open batches of the model that are looked at: a batch costs the same at any number."""

Shares = list[tuple[Batch, int]]
"""How many of its first members each batch gives."""


def fill(state: State, batch: Batch, executor: Executor, begin_s: float) -> None:
    """
    To the largest size that keeps every promise, from batches that were to run later: who can't
    wait opens a batch beside one that is being made, and neither would be full. With operating
    points that time is the points'.
    """
    if batch.costs.choices is not None:
        return
    number = len(batch.members)
    sizes = [size for size in batch.costs.sizes if size > number]
    donors = _donors(state, batch, executor) if sizes else []
    if not donors:
        return
    until_s = min(batch.members[0].due_s, executor.plan.headroom_s() - executor.kept_free_s)
    for size in reversed(sizes):
        end_s = begin_s + batch.costs.seconds[size]
        shares = _shares(donors, size - number, end_s) if end_s <= until_s + TIE_S else None
        if shares is not None:
            _take(state, batch, executor, shares)
            return


def _donors(state: State, batch: Batch, executor: Executor) -> list[Batch]:
    """The earliest first."""
    alike = [
        other
        for other in islice(state.models[batch.model].open, DONORS)
        if other.executor == executor.name
        and other.costs is batch.costs
        and other is not batch
        and not other.deferred
    ]
    return sorted(alike, key=lambda other: other.key_s)


def _shares(donors: list[Batch], wanted: int, end_s: float) -> Shares | None:
    """As many as are wanted; what is left takes no longer, though three can take more than four."""
    shares: Shares = []
    for donor in donors:
        number = min(wanted, len(donor.members))
        left_s = donor.costs.split_s[len(donor.members) - number]
        if left_s <= donor.work_s and end_s <= donor.members[0].due_s + TIE_S:
            shares.append((donor, number))
            wanted -= number
        if not wanted:
            return shares
    return None


def _take(state: State, batch: Batch, executor: Executor, shares: Shares) -> None:
    members = batch.members
    for donor, number in shares:
        taken, rest = donor.members[:number], donor.members[number:]
        for member in taken:
            member.batch = batch
        members = members + taken
        donor.target = 0
        donor.become(rest)
        if rest:
            executor.plan.changed(donor)
        else:
            executor.plan.remove(donor)
            state.emptied(donor, executor)
    batch.become(sorted(members, key=lambda member: member.deadline_s))
