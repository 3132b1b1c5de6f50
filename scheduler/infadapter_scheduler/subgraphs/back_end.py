"""The back end of the SUSHI scheduler: a simulated accelerator, or weights on a CPU."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infadapter_scheduler.subgraphs.table import LatencyTable

Bytes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BackEnd:
    """
    The latency table, whose first SubGraph is empty, and the traffic in bytes: `weights` that a
    SubNet uses; `fetched` and `hits` by row and column (from off-chip memory, and from the cache);
    `refills` by the column before and after.
    """

    table: LatencyTable
    weights: Bytes
    fetched: Bytes
    hits: Bytes
    refills: Bytes


EMPTY = 0
"""Column of the empty SubGraph."""
