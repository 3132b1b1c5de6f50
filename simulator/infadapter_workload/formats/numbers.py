"""Reader of requests per second, one number per line."""

import re
from array import array

import numpy as np

from infadapter_workload.formats.counters import looks_like_a_counter, rates_between
from infadapter_workload.formats.fields import is_header, requests
from infadapter_workload.formats.names import GROWING, Kind, ValueMeaning, meaning_of_name
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.formats.values import has_decimal_comma, unit_said
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series
from infadapter_workload.trace import MAX_RPS, MAX_SECONDS, Array

_BLANK = re.compile(r"\d \d{3}\b")
"""A blank between thousands, or where the end of a line was lost."""

_MANY_DIGITS = len(str(int(MAX_RPS)))
"""Digits from which a number may exceed MAX_RPS."""


def read_rates(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """Read numbers with or without a header, each of one second or of --trace-every seconds."""
    head = [line.text for line in stream.head()[:400]]
    name = head[0] if head and is_header(head[:1]) else ""
    said = _said(stream, name, head, options)
    step_s = options.every_s or 1
    comma = has_decimal_comma(head)
    most_s = 86_400 if options.values == "counter" else max(step_s, said.per_s)
    numbers = array("d")
    for index, line in enumerate(stream.lines()):
        if index or not name:
            numbers.append(_number(line, most_s, comma))
        if len(numbers) * step_s > MAX_SECONDS:
            raise line.error(f"the trace is longer than {MAX_SECONDS:,} s: cut it with --to SECOND")
        if _enough(numbers, step_s, options.to_s):
            break
    if not numbers:
        raise stream.error("holds no numbers")
    return _series(stream, np.array(numbers), said, step_s, options)


def _number(line: Line, most_s: float, comma: bool) -> float:
    """Parse a line. Most lines are plain digits, which need no validation but of their length."""
    if len(line.text) < _MANY_DIGITS and line.text.isascii() and line.text.isdigit():
        return float(line.text)
    if _BLANK.search(line.text):
        raise line.error(f"{shown(line.text)} may be one number or two: remove the blank within it")
    return requests(line, line.text, most_s, comma)


def evenly(name: str, form: str, rates: Array, step_s: int, what: str = "counts") -> Series:
    """Return a series with a rate for each second, from rates that each hold for a step."""
    note = f"its {what} of {step_s} s are spread evenly over them"
    return Series(
        name=name, form=form, rates=np.repeat(rates, step_s), step_s=step_s, notes=(note,)
    )


def _said(stream: Stream, name: str, head: list[str], options: ReadOptions) -> ValueMeaning:
    unit = next((unit for text in head if (unit := unit_said(text, False))), None)
    said = unit or (meaning_of_name(name) if name else ValueMeaning(Kind.LOAD))
    if said.kind is Kind.OTHER and options.values is None:
        raise stream.error(
            f"has the column {shown(name)}, whose name does not mean a number of requests: say "
            "--trace-values counts or rates if it is one"
        )
    return said


def _series(
    stream: Stream, numbers: Array, said: ValueMeaning, step_s: int, options: ReadOptions
) -> Series:
    values = options.values or _kind(stream, numbers, said, step_s)
    per_s = said.per_s if values == "rates" else step_s
    if values == "counter":
        rates = rates_between(numbers, np.arange(len(numbers)), step_s)
        if not len(rates):
            raise stream.error("holds one number, and a counter needs two")
    else:
        rates = numbers / per_s
    for index in np.flatnonzero(rates > MAX_RPS)[:1]:
        raise stream.error(
            f"has {numbers[index]:g} requests in {per_s} s: a number of requests must be from 0 to "
            f"{MAX_RPS * per_s:,.0f}"
        )
    if step_s > 1:
        form = f"a number each {step_s} s, {values}"
        return evenly(stream.name, form, rates, step_s, values)
    return Series(
        name=stream.name,
        form="a number of requests each second",
        rates=rates,
        counted=not (rates % 1).any(),
        collected=True,
    )


def _kind(stream: Stream, numbers: Array, said: ValueMeaning, step_s: int) -> str:
    if said.kind is Kind.RATE:
        if said.per_s > 1 and step_s == 1:
            raise stream.error("holds rates, but not how often: say --trace-every SECONDS")
        return "rates"
    if looks_like_a_counter(numbers, step_s, named=said.kind in GROWING):
        raise stream.error(
            f"has numbers that never fall, from {numbers[0]:g} to {numbers[-1]:g}, as a counter or "
            "times from a start: say --trace-values counter, counts if each is of its own second, "
            "or --trace-format timestamps"
        )
    if _rising(numbers):
        raise stream.error(
            f"has numbers that rise with every line, from {numbers[0]:g} to {numbers[-1]:g}, as "
            "times from a start: say --trace-format timestamps, or --trace-values rates"
        )
    if said.kind is not Kind.COUNT and step_s > 1:
        raise stream.error(
            f"has a number each {step_s} s: say --trace-values rates if it is per second, or "
            "counts if it is of the step"
        )
    return "counts"


def _rising(numbers: Array) -> bool:
    """Whether the numbers increase for long and are not whole, as times do."""
    return len(numbers) >= 20 and bool((np.diff(numbers) > 0).all() and (numbers % 1).any())


def _enough(numbers: "array[float]", step_s: int, to_s: int | None) -> bool:
    if to_s is None or len(numbers) % 4096:
        return False
    return int(np.count_nonzero(numbers)) * step_s > to_s
