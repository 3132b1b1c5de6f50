"""The Pareto front of a table's rows."""

import numpy as np
from numpy.typing import NDArray

CHUNK = 256


def undominated(more_is_better: NDArray[np.float64]) -> NDArray[np.intp]:
    """
    Return the ascending indices of the rows that no other row reaches in every column.

    Of equal rows the first stays. In sorted order only an earlier row can dominate a later one, so
    each chunk is compared with the front so far and with itself. The first differing column is
    given by the order, and constant columns are skipped.
    """
    count = len(more_is_better)
    order = np.lexsort(-more_is_better.T[::-1])
    sorted_columns = more_is_better[order].T
    differing = (sorted_columns != sorted_columns[:, :1]).any(axis=1)
    columns = np.ascontiguousarray(sorted_columns[differing][1:])
    stays = np.empty(0, dtype=np.intp)
    for start in range(0, count, CHUNK):
        chunk = np.arange(start, min(start + CHUNK, count))
        chunk = chunk[~_reached(columns, stays, chunk).any(axis=0)]
        earlier = np.triu(_reached(columns, chunk, chunk), k=1)
        stays = np.concatenate((stays, chunk[~earlier.any(axis=0)]))
    return np.sort(order[stays])


def _reached(
    columns: NDArray[np.float64], rows: NDArray[np.intp], others: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return [i, j]: whether row i is at least as good as row j in every column."""
    reached = np.ones((len(rows), len(others)), dtype=np.bool_)
    for column in columns:
        reached &= column[rows][:, None] >= column[others]
    return reached
