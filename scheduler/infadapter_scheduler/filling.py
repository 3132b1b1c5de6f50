"""
Filling: a batch that runs takes requests from later batches of its model if nobody becomes late.
"""

from itertools import islice

from infadapter_scheduler.admission import TIE_S
from infadapter_scheduler.batch import Batch
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.state import State

DONORS = 8
"""Number of the model's open batches considered, so that the cost of a batch is bounded."""

Shares = list[tuple[Batch, int]]
"""How many of its first members each batch gives."""


def fill(state: State, batch: Batch, executor: Executor, begin_s: float) -> None:
    """
    Fill the batch up to the largest size that keeps every promise.

    An urgent request opens a batch beside one that is growing, and neither would be full. With
    operating points the spare time is used for accuracy instead.
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
    """Return the donors, earliest first."""
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
    """
    Return as many requests as wanted, such that the remainders take no longer; three requests can
    take more than four.
    """
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
