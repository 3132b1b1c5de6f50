"""Numbers on a command line."""

import click
import pytest

from infadapter_server.finite import Finite

FRACTION = Finite(0, 1)
POSITIVE = Finite(min=0, min_open=True)


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (FRACTION, "nan", "'nan' is no number from 0 to 1."),
        (FRACTION, "inf", "inf is not in the range 0<=x<=1."),
        (POSITIVE, "-nan", "'-nan' is no number above 0."),
        (POSITIVE, "1e999", "'1e999' is no number above 0."),
        (Finite(min=0), "inf", "'inf' is no number from 0 on."),
        (Finite(max=5), "-inf", "'-inf' is no number up to 5."),
        (Finite(), "Infinity", "'Infinity' is no number that is finite."),
        (POSITIVE, "0", "0.0 is not in the range x>0."),
        (FRACTION, "half", "'half' is not a valid float range."),
    ],
)
def test_what_is_no_number_within_limits_is_refused(kind: Finite, text: str, sentence: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        kind.convert(text, None, None)
    assert refused.value.message == sentence


def test_a_number_within_limits_is_taken() -> None:
    assert [FRACTION.convert(text, None, None) for text in ("0", "0.5", "1")] == [0, 0.5, 1]
    assert POSITIVE.convert("1e300", None, None) == 1e300
