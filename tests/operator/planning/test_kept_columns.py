"""Cached arrays of rows always equal arrays computed anew."""

from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.load import Sample
from infadapter_operator.planning.kept_columns import KeptColumns, columns_of

SAMPLES = [Sample(float(at_s), float(at_s % 7)) for at_s in range(30)]
WINDOWS = st.tuples(st.integers(0, 29), st.integers(1, 30), st.booleans())


def test_each_column_has_a_number_of_every_row() -> None:
    assert columns_of([(1.0, 2, 3.0), (4.0, 5, 6.0)]).tolist() == [[1, 4], [2, 5], [3, 6]]


@given(st.lists(WINDOWS))
def test_whatever_was_asked_before_they_are_those_of_these_rows(
    asked: list[tuple[int, int, bool]],
) -> None:
    """Windows move on, go back and restart, also with another service's rows of the same times."""
    kept = KeptColumns()
    for first, rows, other in asked:
        window = tuple(SAMPLES[first : first + rows])
        if other:
            window = tuple(sample._replace(rps=sample.rps + 1) for sample in window)
        assert kept.of(window).tolist() == columns_of(window).tolist()
