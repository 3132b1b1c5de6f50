"""The rows that nothing makes superfluous, against the definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from infadapter_solver.exact.pareto import CHUNK, undominated
from tests.deep import drawn

tables = st.integers(1, 4).flatmap(
    lambda columns: st.integers(1, 40).flatmap(
        lambda rows: arrays(np.float64, (rows, columns), elements=st.integers(-3, 3).map(float))
    )
)


@given(tables)
@settings(max_examples=drawn(100), deadline=None)
def test_exactly_the_rows_stay_that_no_other_reaches(table: np.ndarray) -> None:
    kept = set(undominated(table).tolist())
    for i, row in enumerate(table):
        better = [
            j for j, other in enumerate(table) if (other >= row).all() and (other > row).any()
        ]
        first = next(j for j, other in enumerate(table) if (other == row).all())
        assert (i in kept) == (not better and i == first)


def test_tables_longer_than_a_chunk_are_compared_across_chunks() -> None:
    draw = np.random.default_rng(1)
    table = draw.integers(0, 30, (3 * CHUNK, 2)).astype(float)
    kept = undominated(table)
    expected = [
        i
        for i, row in enumerate(table)
        if not ((table >= row).all(axis=1) & (table > row).any(axis=1)).any()
        and not (table[:i] == row).all(axis=1).any()
    ]
    assert kept.tolist() == expected
