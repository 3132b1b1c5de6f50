"""
Convert Kubernetes quantities ("20", "500m", "1Ki", 2) to the whole numbers that the solver uses:
CPU in millicores, every other resource in whole units. Also write decimals as the API does.

Finer amounts of CPU are rounded up, as the API server does; extended resources have no fractions.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from infadapter_profiles.sizes import CPU, Resources

Quantity = int | str
"""A quantity in an API object. Floats are excluded, since YAML's 0.1 is not exactly a tenth."""

LARGEST_QUANTITY = 10**15
"""Upper bound on quantities, which keeps `1e999` from becoming a number of a thousand digits."""

EXTENDED_RESOURCE = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
"""Pattern of extended resource names, such as nvidia.com/gpu."""

RESOURCE_NAMES = "cpu and extended resources such as nvidia.com/gpu"
"""The resources that can be planned. Memory is not: it has no budget and no price."""

_SYNTAX = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{1,2}))?"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


class InvalidQuantity(ValueError):
    """The text is not a valid quantity of the resource."""


def is_resource_name(name: str) -> bool:
    """Return whether a budget, a price or a pod's size may name this resource."""
    return name == CPU or (len(name) <= 128 and bool(re.fullmatch(EXTENDED_RESOURCE, name)))


def parse_quantity(quantity: Quantity) -> Decimal:
    """
    The exact amount, in units (cores for CPU).

    Raises InvalidQuantity if it can't be read, is negative, or is beyond `LARGEST_QUANTITY`.
    """
    match = _SYNTAX.fullmatch(str(quantity)) if len(str(quantity)) <= 32 else None
    if match is None or isinstance(quantity, bool):
        raise InvalidQuantity(f'{quantity!r} is no quantity, such as 20 or "500m"')
    amount = Decimal(match["number"]) * _factor(match["suffix"], match["exponent"])
    if not 0 <= amount <= LARGEST_QUANTITY:
        raise InvalidQuantity(f"{quantity!r} is not between 0 and 1P")
    return amount


def _factor(suffix: str | None, exponent: str | None) -> Decimal:
    if suffix in _BINARY:
        return Decimal(1024) ** _BINARY[suffix]
    return Decimal(10) ** (_DECIMAL[suffix] if suffix else int(exponent or 0))


def cpu_millicores(quantity: Quantity) -> int:
    """Raises InvalidQuantity."""
    return math.ceil(parse_quantity(quantity) * 1000)


def whole_units(quantity: Quantity) -> int:
    """Raises InvalidQuantity, also for a fraction, since nobody can request half a GPU."""
    amount = parse_quantity(quantity)
    if amount != int(amount):
        raise InvalidQuantity(f"{quantity!r} is not a whole number of units")
    return int(amount)


def parse_amounts(quantities: Mapping[str, Quantity]) -> Resources:
    """Convert `{"cpu": "4", "nvidia.com/gpu": 1}` to `{"cpu": 4000, "nvidia.com/gpu": 1}`."""
    return {
        name: (cpu_millicores if name == CPU else whole_units)(quantity)
        for name, quantity in quantities.items()
    }


def cpu_quantity(millicores: int) -> str:
    """Return the canonical quantity: "2" for 2000, "1500m" for 1500."""
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def amounts_as_quantities(amounts: Resources) -> dict[str, str]:
    """The inverse of `parse_amounts`, in canonical form."""
    return {
        name: cpu_quantity(amount) if name == CPU else str(amount)
        for name, amount in amounts.items()
    }


def decimal_text(value: float, digits: int = 12) -> str:
    """Return the shortest decimal without an exponent: "0.00001" for 1e-05."""
    text = f"{round(Decimal(repr(float(value))), digits):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
