"""Turn rows of a time and a number into requests per second: steps, gaps, counters, order."""

from array import array
from dataclasses import dataclass, field

import numpy as np

from infadapter_workload.formats.counters import looks_like_a_counter, rates_between
from infadapter_workload.formats.dates import Clock, over_midnight
from infadapter_workload.formats.grid import Grid, Moments, in_order, places_of, step_s_of
from infadapter_workload.formats.moments import SECOND_NS, SURE_S
from infadapter_workload.formats.names import GROWING, Kind, ValueMeaning
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series, began
from infadapter_workload.trace import MAX_RPS, Array

_WORDS = {"rates": "per second", "counts": "counted", "counter": "as a counter"}


@dataclass(slots=True)
class Rows:
    """The rows as they were read."""

    moments_ns: "array[int]" = field(default_factory=lambda: array("q"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    notes: list[str] = field(default_factory=list)

    def add(self, line: Line, moment_ns: int, number: float) -> None:
        self.moments_ns.append(moment_ns)
        self.numbers.append(number)
        self.lines.append(line.number)

    def enough(self, to_s: int | None) -> bool:
        """Whether everything before this second has been read, not counting gaps."""
        if to_s is None or len(self.numbers) < 3 or len(self.numbers) % 64:
            return False
        step_s = (self.moments_ns[1] - self.moments_ns[0]) // SECOND_NS
        busy = int(np.count_nonzero(np.nan_to_num(self.numbers)))
        return step_s > 0 and busy * step_s > to_s


def to_series(
    stream: Stream, rows: Rows, said: ValueMeaning, clock: Clock, options: ReadOptions, name: str
) -> Series:
    """
    Return the series. Raises TraceError for rows that are not evenly spaced, or numbers that cannot
    be load.
    """
    if not rows.numbers:
        raise stream.error("holds no numbers")
    moments = np.array(rows.moments_ns, dtype=np.int64)
    table = Grid(
        stream,
        options,
        over_midnight(moments) if clock.daily else moments,
        np.array(rows.numbers),
        np.array(rows.lines, dtype=np.int64),
    )
    notes = [*rows.notes, *in_order(table, clock.absolute)]
    step_s = options.every_s or step_s_of(table)
    places = places_of(table, step_s)
    kind = table.options.values or _kind(table, said, step_s, name)
    per_step = _per_step(table, places, step_s, kind, said.per_s)
    rates = np.repeat(per_step, step_s)
    whole = step_s == 1 and not (per_step[~np.isnan(per_step)] % 1).any()
    if step_s > 1:
        notes.insert(0, f"its {kind} of {step_s} s are spread evenly over them")
    began_s = int(table.moments[0] // SECOND_NS)
    absolute = clock.absolute and SURE_S[0] < began_s
    return Series(
        name=stream.name,
        form=f"a table, its time {clock.said}, {shown(name) if name else 'its numbers'} "
        f"{_WORDS.get(kind, kind)} in steps of {step_s} s"
        + (f", from {began(began_s)}" if absolute else ""),
        rates=rates,
        began_s=began_s if absolute else None,
        counted=whole,
        step_s=step_s,
        collected=True,
        notes=tuple(notes),
    )


def _per_step(table: Grid, places: Moments, step_s: int, kind: str, per_s: float) -> Array:
    """Return requests per second in each step, NaN where unknown."""
    if kind == "counter":
        return _of_counter(table, places, step_s)
    seconds = per_s if kind == "rates" else step_s
    limit = MAX_RPS * seconds
    for row in np.flatnonzero(table.numbers > limit)[:1]:
        raise table.error(
            int(row),
            f"a number of requests must be from 0 to {limit:,.0f}, not '{table.numbers[row]:g}'",
        )
    per_step = np.full(int(places[-1]) + 1, np.nan)
    per_step[places] = table.numbers / seconds
    return per_step


def _of_counter(table: Grid, places: Moments, step_s: int) -> Array:
    rates = rates_between(table.numbers, places, step_s)
    if not len(rates) or rates.max() > MAX_RPS:
        raise table.stream.error(f"holds no counter of up to {MAX_RPS:,.0f} requests per second")
    return rates


def _kind(table: Grid, said: ValueMeaning, step_s: int, name: str) -> str:
    known = table.numbers[~np.isnan(table.numbers)]
    if said.kind is not Kind.RATE and looks_like_a_counter(
        known, step_s, named=said.kind in GROWING
    ):
        raise table.stream.error(
            f"has numbers that never fall, from {known[0]:,.0f} to {known[-1]:,.0f}, as a counter: "
            "say --trace-values counter, or counts if each is of its own step"
        )
    if said.kind is Kind.RATE:
        return "rates"
    if said.kind in (Kind.LOAD, Kind.COUNTER) and step_s > 1:
        where = f"the name {shown(name)} does not say" if name else "no column name says"
        raise table.stream.error(
            f"has a number every {step_s} s, and {where} whether it is a rate: say --trace-values "
            "rates if it is per second, or counts if it is per step"
        )
    return "counts"
