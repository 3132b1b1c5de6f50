"""What stands behind the scheduler: an accelerator that is simulated, or weights on a CPU."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infadapter_scheduler.subgraphs.table import LatencyTable

Bytes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BackEnd:
    """
    Its table, whose first SubGraph holds nothing, and beside it what moves, in bytes.

    `weights` that a SubNet uses; `fetched` and `hits` by row and column: what it gets from far, and
    from what is cached; `refills` by the column before and the one after.
    """

    table: LatencyTable
    weights: Bytes
    fetched: Bytes
    hits: Bytes
    refills: Bytes


EMPTY = 0
"""The column of the SubGraph that holds nothing."""
