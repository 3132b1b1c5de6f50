"""
What a user specifies about a trace that its file does not say: format, columns, units, gaps, a
filter.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from infadapter_workload.formats.filters import Condition, conditions_of
from infadapter_workload.trace import TraceError

UNITS_NS: Mapping[str, int] = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
DATES = ("d/m/y", "m/d/y")
"""Whether day or month comes first in 3/4/2024."""

VALUES = ("rates", "counts", "counter")
GAPS = ("ask", "keep", "drop")


class Option(NamedTuple):
    """A command line option, `--trace-NAME`."""

    name: str
    metavar: str
    help: str


OPTIONS = (
    Option(
        "columns",
        "time=NAME,value=NAME",
        "Of a table, by name or number from 1; value=A+B is their sum, value=* all of them.",
    ),
    Option(
        "values",
        "|".join(VALUES),
        "Per second, per step, or a counter that only grows, whatever the step is.",
    ),
    Option("unit", "|".join((*UNITS_NS, *DATES)), "Unit of numeric times; order of dates."),
    Option("every", "SECONDS", "Time between numbers or rows; uneven rows are rounded to it."),
    Option("gaps", "|".join(GAPS), "Silence and missing steps: load of 0, or unknown."),
    Option("only", "NAME=TEXT,…", "Requests or rows with path=/v2/*, status!=404, a column=TEXT."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """The specifications. None is needed for a file that is understood without doubt."""

    format: str | None = None  # NAME or NAME:OPTION
    time: str | None = None
    value: str | None = None
    values: str | None = None
    unit: str | None = None
    every_s: int | None = None
    gaps: str | None = None  # None: silence is dropped; an error if too much is missing
    only: tuple[Condition, ...] = ()
    to_s: int | None = None  # end of the wanted part
    on_progress: Callable[[int, int], None] = field(
        default=lambda done, total: None
    )  # bytes read, of how many

    @property
    def unit_ns(self) -> int | None:
        return UNITS_NS.get(self.unit or "")


def parse_options(texts: Mapping[str, str | None], **more: object) -> ReadOptions:
    """Parse the texts of OPTIONS by their names, None where absent. Raises TraceError."""
    columns = _columns(texts.get("columns"))
    return ReadOptions(
        time=columns.get("time"),
        value=columns.get("value"),
        values=_one_of("values", VALUES, texts.get("values")),
        unit=_one_of("unit", (*UNITS_NS, *DATES), texts.get("unit")),
        every_s=_seconds(texts.get("every")),
        gaps=_one_of("gaps", GAPS, texts.get("gaps")),
        only=conditions_of(texts.get("only")),
        **more,  # type: ignore[arg-type]
    )


def _columns(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in re.split(r",(?=time=|value=)", text) if text else ():
        name, equals, column = part.partition("=")
        if name.strip() not in ("time", "value") or not (equals and column.strip()):
            raise TraceError(f"--trace-columns must be time=NAME,value=NAME, not {text!r}.")
        found[name.strip()] = column.strip()
    return found


def _one_of(option: str, choices: tuple[str, ...], text: str | None) -> str | None:
    if text is None or text in choices:
        return text
    raise TraceError(f"--trace-{option} must be one of {', '.join(choices)}, not {text!r}.")


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})(s|min|h|d|)", text)
    if not match:
        raise TraceError(f"--trace-every must be whole seconds, or such as 5min, not {text!r}.")
    return int(match[1]) * UNITS_NS[match[2] or "s"] // 10**9
