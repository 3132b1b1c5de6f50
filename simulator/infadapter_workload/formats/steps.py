"""From rows with a time and a number to requests per second: steps, gaps, counters, order."""

from array import array
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from infadapter_workload.asked import Asked
from infadapter_workload.formats.clocks import Clock
from infadapter_workload.formats.counters import increases, looks_like_a_counter
from infadapter_workload.formats.moments import SECOND_NS, SURE_S
from infadapter_workload.formats.names import Kind, Said
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.gaps import MOST_LEFT_OUT, SAY
from infadapter_workload.series import Series, began
from infadapter_workload.trace import MAX_RPS, MAX_SECONDS, Array

LONGEST_STEP_S = 86_400

Moments = npt.NDArray[np.int64]


@dataclass(slots=True)
class Rows:
    """As they were read."""

    moments_ns: "array[int]" = field(default_factory=lambda: array("q"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    notes: list[str] = field(default_factory=list)

    def add(self, line: Line, moment_ns: int, number: float) -> None:
        self.moments_ns.append(moment_ns)
        self.numbers.append(number)
        self.lines.append(line.number)

    def enough(self, to_s: int | None) -> bool:
        """Whether what is before this second has been read, gaps aside."""
        if to_s is None or len(self.numbers) < 3 or len(self.numbers) % 64:
            return False
        step_s = (self.moments_ns[1] - self.moments_ns[0]) // SECOND_NS
        return step_s > 0 and np.count_nonzero(np.nan_to_num(self.numbers)) * step_s > to_s


@dataclass(slots=True)
class _Spaced:
    stream: Stream
    asked: Asked
    moments: Moments
    numbers: Array
    lines: Moments

    def error(self, row: int, problem: str) -> Exception:
        return Line(self.stream.path, int(self.lines[row]), "").error(problem)


def spaced(stream: Stream, rows: Rows, said: Said, clock: Clock, asked: Asked, name: str) -> Series:
    """Raises TraceError for rows that are not evenly spaced, or numbers that no load can have."""
    if not rows.numbers:
        raise stream.error("holds no numbers")
    table = _Spaced(
        stream,
        asked,
        np.array(rows.moments_ns, dtype=np.int64),
        np.array(rows.numbers),
        np.array(rows.lines, dtype=np.int64),
    )
    notes = [*rows.notes, *_in_order(table)]
    step_s = asked.every_s or _step_s(table)
    places = _places(table, step_s)
    numbers, kind = _per_step(table, said, step_s, name)
    per_step = np.full(int(places[-1]) + 1, np.nan)
    per_step[places] = numbers
    rates = np.repeat(per_step, step_s)
    whole = step_s == 1 and not (per_step[~np.isnan(per_step)] % 1).any()
    if step_s > 1:
        notes.insert(0, f"its {kind} of {step_s} s are spread evenly over them")
    began_s = int(table.moments[0] // SECOND_NS)
    absolute = clock.absolute and SURE_S[0] < began_s
    return Series(
        name=stream.name,
        form=f"a table, its time {clock.said}, {shown(name) if name else 'its numbers'} "
        f"{'per second' if kind == 'rates' else 'counted'} in steps of {step_s} s"
        + (f", from {began(began_s)}" if absolute else ""),
        rates=rates,
        began_s=began_s if absolute else None,
        counted=whole,
        step_s=step_s,
        collected=True,
        notes=tuple(notes),
    )


def _in_order(table: _Spaced) -> list[str]:
    steps = np.diff(table.moments)
    if len(steps) > 1 and (steps < 0).all():
        table.moments, table.numbers = table.moments[::-1], table.numbers[::-1]
        table.lines = table.lines[::-1]
        return ["newest first: turned round"]
    for row in np.flatnonzero(steps <= 0)[:1]:
        same = steps[row] == 0
        raise table.error(
            int(row) + 1,
            f"the time {_shown(table, row + 1)} does not come after {_shown(table, row)}"
            + ("; of several series choose one with --trace-only NAME=TEXT" if same else ""),
        )
    return []


def _step_s(table: _Spaced) -> int:
    """The most frequent, of several the shortest."""
    steps = np.diff(table.moments)
    if not len(steps):
        return 1
    lengths, times = np.unique(steps, return_counts=True)
    step = int(lengths[np.argmax(times)])
    if step % SECOND_NS or step > LONGEST_STEP_S * SECOND_NS:
        row = int(np.flatnonzero(steps == step)[0])
        raise table.error(
            row + 1,
            f"the time {_shown(table, row + 1)} must be a whole number of seconds, and no more than "
            f"a day, after {_shown(table, row)}",
        )
    return step // SECOND_NS


def _places(table: _Spaced, step_s: int) -> Moments:
    """Of each row, counted in steps; those that are left out are missing."""
    since = table.moments - table.moments[0]
    step_ns = step_s * SECOND_NS
    places = np.rint(since / step_ns).astype(np.int64) if table.asked.every_s else since // step_ns
    uneven = since % step_ns != 0 if not table.asked.every_s else np.diff(places, prepend=-1) <= 0
    for row in np.flatnonzero(uneven)[:1]:
        raise table.error(
            int(row),
            f"the time {_shown(table, row)} does not follow {_shown(table, row - 1)} by {step_s} s; "
            "rows must be evenly spaced, or rounded by --trace-every SECONDS",
        )
    _check_missing(table, places, step_s)
    for row in np.flatnonzero((places + 1) * step_s > MAX_SECONDS)[:1]:
        raise table.error(
            int(row), f"the trace is longer than {MAX_SECONDS:,} s: cut it with --to SECOND"
        )
    return places


def _check_missing(table: _Spaced, places: Moments, step_s: int) -> None:
    """Few are a gap of what recorded them; of many, an absent row may mean that nothing came."""
    missing = int(places[-1]) + 1 - len(places)
    if table.asked.gaps in ("keep", "drop") or missing <= MOST_LEFT_OUT * (places[-1] + 1):
        return
    row = int(np.flatnonzero(np.diff(places) > 1)[0]) + 1
    raise table.error(
        row,
        f"the time {_shown(table, row)} does not follow {_shown(table, row - 1)} by {step_s} s, and "
        f"{missing:,} of {places[-1] + 1:,} are missing: {SAY}",
    )


def _per_step(table: _Spaced, said: Said, step_s: int, name: str) -> tuple[Array, str]:
    """Requests per second in each step, and what the numbers were."""
    values = table.asked.values or _kind(table, said, step_s, name)
    per_s = said.per_s if values == "rates" else step_s
    numbers = increases(table.numbers) if values == "counter" else table.numbers
    limit = MAX_RPS * per_s
    for row in np.flatnonzero(numbers > limit)[:1]:
        raise table.error(
            int(row),
            f"a number of requests must be from 0 to {limit:,.0f}, not '{numbers[row]:g}'",
        )
    return numbers / per_s, "counts" if values == "counter" else values


def _kind(table: _Spaced, said: Said, step_s: int, name: str) -> str:
    known = table.numbers[~np.isnan(table.numbers)]
    if said.kind is not Kind.RATE and looks_like_a_counter(
        known, step_s, named=said.kind is Kind.TOTAL
    ):
        raise table.stream.error(
            f"has numbers that never fall, from {known[0]:,.0f} to {known[-1]:,.0f}, as a counter: "
            "say --trace-values counter, or counts if each is of its own step"
        )
    if said.kind is Kind.RATE:
        return "rates"
    if said.kind is Kind.LOAD and step_s > 1:
        raise table.stream.error(
            f"has a number every {step_s} s, and {shown(name) + ' does not say' if name else 'no name says'} "
            "of what: say --trace-values rates if it is per second, or counts if it is of the step"
        )
    return "counts"


def _shown(table: _Spaced, row: int) -> str:
    moment = int(table.moments[row])
    if moment > SURE_S[0] * SECOND_NS:
        return shown(began(moment // SECOND_NS))
    return shown(f"{moment / SECOND_NS:.12g}")
