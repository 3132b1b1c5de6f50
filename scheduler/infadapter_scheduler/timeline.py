"""
The plan of one executor: batches in the order of their deadlines (earliest deadline first).

Batch i completes at (executor free) + Σ work up to i; the plan is feasible if each does so by its
limit. An insertion or growth needs the headroom behind it: the least of limit − Σ work. Batches are
kept in blocks with their sums, so that a query costs O(√n) and not O(n): thousands of models have
thousands of open batches.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.block import Block

BLOCK = 24


class Place(NamedTuple):
    """Work before a key, the least headroom behind it, and the number of batches before it."""

    before_s: float
    headroom_s: float


class Timeline:
    """Batches by key (their earliest deadline), equal ones by arrival."""

    __slots__ = ("_blocks", "_found", "_placed", "size", "total_s")

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._found = 0, 0
        self._placed: tuple[float, Place] | None = None
        self.size = 0
        self.total_s = 0.0

    def __iter__(self) -> Iterator[Batch]:
        for block in self._blocks:
            yield from block.batches

    def first(self) -> Batch | None:
        return self._blocks[0].batches[0] if self._blocks else None

    def headroom_s(self) -> float:
        """The least headroom of all: how much later the plan may begin."""
        before, least = 0.0, inf
        for block in self._blocks:
            if block.stale:
                block.settle()
            least = min(least, block.headroom - before)
            before += block.total
        return least

    def place(self, key_s: float) -> Place:
        """
        Return where a new batch of this key would be inserted; queried twice before one is opened.
        """
        if self._placed is None or self._placed[0] != key_s:
            self._placed = key_s, self._place_for(key_s)
        return self._placed[1]

    def place_of(self, batch: Batch) -> Place:
        """Return where a batch is: the work before it, and the least headroom behind it."""
        index, at = self._find(batch)
        return self._place(index, at, at + 1)

    def before_s(self, batch: Batch) -> float:
        """
        Return only the work before a batch, which suffices for requests that take no more than the
        batch's reserved room.
        """
        index, at = self._find(batch)
        before = sum([block.total for block in self._blocks[:index]])
        return before + sum(self._blocks[index].works[:at])

    def between_s(self, key_s: float, batch: Batch) -> float:
        """Return the least headroom of the batches behind a key and before a batch."""
        index = self._block_of(key_s)
        at = bisect_right(self._blocks[index].keys, key_s)
        last, until = self._find(batch)
        before = sum([block.total for block in self._blocks[:index]])
        least = inf
        for number in range(index, last + 1):
            block = self._blocks[number]
            end = until if number == last else len(block.works)
            least = min(least, block.headroom_within(at, end) - before)
            before += block.total
            at = 0
        return least

    def insert(self, batch: Batch) -> None:
        self._placed = None
        self.size += 1
        self.total_s += batch.work_s
        if not self._blocks:
            self._blocks.append(Block([batch]))
            return
        index = self._block_of(batch.key_s)
        block = self._blocks[index]
        at = bisect_right(block.keys, batch.key_s)
        block.batches.insert(at, batch)
        block.keys.insert(at, batch.key_s)
        block.limits.insert(at, batch.limit_s)
        block.works.insert(at, batch.work_s)
        block.changed()
        if len(block.batches) > 2 * BLOCK:
            self._blocks[index : index + 1] = [
                Block(block.batches[:BLOCK]),
                Block(block.batches[BLOCK:]),
            ]

    def remove(self, batch: Batch) -> None:
        index, at = self._find(batch)
        block = self._blocks[index]
        self._placed = None
        self.size -= 1
        self.total_s -= block.works[at]
        for column in (block.batches, block.keys, block.limits, block.works):
            del column[at]
        if block.batches:
            block.changed()
        else:
            del self._blocks[index]
        if not self._blocks:
            self.total_s = 0.0

    def changed(self, batch: Batch) -> None:
        """Update the batch's work or limit; its key stays."""
        index, at = self._find(batch)
        block = self._blocks[index]
        if batch.work_s == block.works[at] and batch.limit_s == block.limits[at]:
            return
        self._placed = None
        self.total_s += batch.work_s - block.works[at]
        block.works[at] = batch.work_s
        block.limits[at] = batch.limit_s
        block.changed()

    def _place_for(self, key_s: float) -> Place:
        if not self._blocks or key_s >= self._blocks[-1].keys[-1]:
            return Place(self.total_s, inf)
        index = self._block_of(key_s)
        at = bisect_right(self._blocks[index].keys, key_s)
        return self._place(index, at, at)

    def _place(self, index: int, at: int, behind_at: int) -> Place:
        before = 0.0
        for block in self._blocks[:index]:
            before += block.total
        block = self._blocks[index]
        headroom = block.headroom_from(behind_at, before)
        behind = before + block.total
        for later in self._blocks[index + 1 :]:
            if later.stale:
                later.settle()
            if later.headroom - behind < headroom:
                headroom = later.headroom - behind
            behind += later.total
        return Place(before + sum(block.works[:at]), headroom)

    def _block_of(self, key_s: float) -> int:
        low, high = 0, len(self._blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if self._blocks[middle].keys[-1] <= key_s:
                low = middle + 1
            else:
                high = middle
        return low

    def _find(self, batch: Batch) -> tuple[int, int]:
        """
        Return the position, often that of the last query, since a batch is looked up and then
        changed.
        """
        index, at = self._found
        if index < len(self._blocks):
            batches = self._blocks[index].batches
            if at < len(batches) and batches[at] is batch:
                return self._found
        self._found = self._search(batch)
        return self._found

    def _search(self, batch: Batch) -> tuple[int, int]:
        low, high = 0, len(self._blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if self._blocks[middle].keys[-1] < batch.key_s:
                low = middle + 1
            else:
                high = middle
        at = bisect_left(self._blocks[low].keys, batch.key_s)
        while True:
            block = self._blocks[low]
            while at < len(block.batches):
                if block.batches[at] is batch:
                    return low, at
                at += 1
            low, at = low + 1, 0
