"""Parse numbers as tables write them: decimal comma, thousands separators, K and M, or a unit."""

import re
from typing import NamedTuple

from infadapter_workload.formats.names import Kind, ValueMeaning, meaning_of_name

ABSENT = frozenset({"", "null", "none", "undefined", "na", "n/a", "-"})
"""Texts for an unknown value. NaN is not among them: it is an invalid number."""

_SCALES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "Mil": 1e6, "G": 1e9, "Bil": 1e9}
_WRITTEN = re.compile(
    r"([-+]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][-+]?\d+)?)\s*(Mil|Bil|[kKMG])?\s*"
    r"([A-Za-z]*(?:/[A-Za-z]+|[A-Za-z]))?"
)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_APART = re.compile(r"[-+]?[1-9]\d{0,2}([ \u00a0\u2009\u202f'’])\d{3}(?:\1\d{3})*(?!\d)")
"""Thousands separated as in French, Swiss and Swedish; 1000 200 are two numbers."""

_PLACES = re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+,\d+")


class Number(NamedTuple):
    number: float
    unit: str = ""


def number_of(text: str, decimal_comma: bool = False) -> Number:
    """Parse a number. Raises ValueError for other text, or a unit that is not one of requests."""
    if text.isdecimal():  # the fast path: nearly all values are, and a trace may have a million
        return Number(float(text))
    if apart := _APART.match(text):
        text = apart[0].replace(apart[1], "") + text[apart.end() :]
    try:
        return Number(float(text.replace(",", ".") if decimal_comma else text))
    except ValueError:
        pass
    match = _WRITTEN.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is not a number")
    digits, scale, unit = match.groups(default="")
    if unit and rate_of_unit(unit) is None and meaning_of_name(unit).kind is not Kind.COUNT:
        raise ValueError(f"{text} is not a number of requests")
    return Number(float(_plain(digits, decimal_comma)) * _SCALES[scale], unit)


def rate_of_unit(unit: str) -> float | None:
    """Return the period in seconds of units such as req/s or rpm, or None."""
    said = meaning_of_name(unit)
    return said.per_s if said.kind is Kind.RATE else None


def unit_said(text: str, decimal_comma: bool) -> ValueMeaning | None:
    """Return what the unit after a number says about it, or None."""
    try:
        unit = number_of(text, decimal_comma).unit
    except ValueError:
        return None
    return meaning_of_name(unit) if unit else None


def is_numeric(text: str) -> bool:
    """Whether the text is a number, or stands for an unknown one."""
    if text.lower() in ABSENT:
        return True
    for comma in (False, True):
        try:
            number_of(text, comma)
        except ValueError:
            continue
        return True
    return False


def has_decimal_comma(texts: list[str]) -> bool:
    """
    Whether commas can only be decimal: in 1,5 yes; 1,500 and 1,721,992,142.283 have thousands
    separators.
    """
    with_comma = [text for text in texts if "," in text and is_numeric(text)]
    return bool(with_comma) and not all(_THOUSANDS.match(text) for text in with_comma)


def _plain(digits: str, decimal_comma: bool) -> str:
    if decimal_comma and _PLACES.fullmatch(digits):
        return digits.replace(".", "").replace(",", ".")
    if decimal_comma:
        return digits.replace(",", ".")
    if _THOUSANDS.fullmatch(digits):
        return digits.replace(",", "")
    return digits
