import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.quantities import (
    LARGEST_QUANTITY,
    InvalidQuantity,
    amounts_as_quantities,
    cpu_millicores,
    cpu_quantity,
    decimal_text,
    parse_amounts,
    parse_quantity,
    whole_units,
)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (2, "2"),
        ("20", "20"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1.", "1"),
        ("+2", "2"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1e3", "1000"),
        ("1E-3", "0.001"),
        ("250u", "0.00025"),
        ("-0", "0"),
    ],
)
def test_reads_what_kubernetes_reads(written: int | str, amount: str) -> None:
    assert parse_quantity(written) == Decimal(amount)


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "many", "-1", "1.5.2", "NaN", "inf", "1 ", "1K", "0x10", "1_000", "١"),
        *(".", "+", "e3", "1e999999999", "2E", "1" * 33),
        *(str(LARGEST_QUANTITY + 1), LARGEST_QUANTITY + 1, -1, True),
    ],
)
def test_refuses_what_is_no_amount(written: int | str) -> None:
    with pytest.raises(InvalidQuantity):
        parse_quantity(written)


def test_cpu_finer_than_a_millicore_is_rounded_up() -> None:
    assert cpu_millicores("1500500u") == 1501
    assert cpu_millicores("1n") == 1


def test_half_a_device_is_refused() -> None:
    with pytest.raises(InvalidQuantity, match="whole"):
        whole_units("500m")


def test_only_cpu_is_counted_in_thousandths() -> None:
    written: dict[str, int | str] = {"cpu": "1500m", "nvidia.com/gpu": 2}
    assert parse_amounts(written) == {"cpu": 1500, "nvidia.com/gpu": 2}
    assert amounts_as_quantities(parse_amounts(written)) == {"cpu": "1500m", "nvidia.com/gpu": "2"}


@given(st.integers(min_value=0, max_value=LARGEST_QUANTITY // 1000))
def test_millicores_survive_being_written(millicores: int) -> None:
    assert cpu_millicores(cpu_quantity(millicores)) == millicores


@given(st.text(max_size=40))
def test_any_text_is_an_amount_or_an_error(text: str) -> None:
    with contextlib.suppress(InvalidQuantity):
        assert 0 <= parse_quantity(text) <= LARGEST_QUANTITY


@given(st.floats(-1e11, 1e11))
def test_a_decimal_is_plain_and_exact_to_its_digits(number: float) -> None:
    assert "e" not in decimal_text(number)
    assert float(decimal_text(number)) == pytest.approx(number, abs=1e-12)
    assert float(decimal_text(number, 3)) == pytest.approx(number, abs=5.1e-4)
