"""Evenly spaced rows: their order, their step and the missing ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infadapter_workload.formats.moments import SECOND_NS, SURE_S
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.gaps import MOST_LEFT_OUT, SAY
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import began
from infadapter_workload.trace import MAX_SECONDS, Array

LONGEST_STEP_S = 86_400

Moments = npt.NDArray[np.int64]


@dataclass(slots=True)
class Grid:
    stream: Stream
    options: ReadOptions
    moments: Moments
    numbers: Array
    lines: Moments

    def error(self, row: int, problem: str) -> Exception:
        return Line(self.stream.path, int(self.lines[row]), "").error(problem)


def in_order(table: Grid, absolute: bool) -> list[str]:
    """
    Sort rows that are points in time, each occurring once, and return notes. Exports of CloudWatch
    are not sorted. Raises TraceError for repeated times.
    """
    steps = np.diff(table.moments)
    if len(steps) > 1 and (steps < 0).all():
        table.moments, table.numbers = table.moments[::-1], table.numbers[::-1]
        table.lines = table.lines[::-1]
        return ["newest first: turned round"]
    distinct = len(np.unique(table.moments)) == len(table.moments)
    if absolute and distinct and len(steps) > 2 and (steps < 0).any():
        order = np.argsort(table.moments)
        table.moments, table.numbers = table.moments[order], table.numbers[order]
        table.lines = table.lines[order]
        return [f"sorted: {int((steps < 0).sum()):,} of its rows were before the one above"]
    for row in np.flatnonzero(steps <= 0)[:1]:
        same = steps[row] == 0
        raise table.error(
            int(row) + 1,
            f"the time {_shown(table, row + 1)} does not come after {_shown(table, row)}"
            + ("; of several series choose one with --trace-only NAME=TEXT" if same else ""),
        )
    return []


def step_s_of(table: Grid) -> int:
    """Return the most frequent distance between rows, seconds; of several, the shortest."""
    steps = np.diff(table.moments)
    if not len(steps):
        return 1
    lengths, times = np.unique(steps, return_counts=True)
    step = int(lengths[np.argmax(times)])
    if step % SECOND_NS or step > LONGEST_STEP_S * SECOND_NS:
        row = int(np.flatnonzero(steps == step)[0])
        raise table.error(
            row + 1,
            f"the time {_shown(table, row + 1)} must be a whole number of seconds, and no more "
            f"than a day, after {_shown(table, row)}",
        )
    return step // SECOND_NS


def places_of(table: Grid, step_s: int) -> Moments:
    """
    Return each row's index in steps from the first row. Indices without a row are missing. Raises
    TraceError if the rows are not evenly spaced.
    """
    since = table.moments - table.moments[0]
    step_ns = step_s * SECOND_NS
    rounded = table.options.every_s is not None
    places: Moments = np.rint(since / step_ns).astype(np.int64) if rounded else since // step_ns
    uneven = np.diff(places, prepend=-1) <= 0 if rounded else since % step_ns != 0
    for row in np.flatnonzero(uneven)[:1]:
        raise table.error(
            int(row),
            f"the time {_shown(table, row)} does not follow {_shown(table, row - 1)} by {step_s} "
            "s: rows must be evenly spaced, or rounded by --trace-every SECONDS",
        )
    _check_missing(table, places, step_s)
    for row in np.flatnonzero((places + 1) * step_s > MAX_SECONDS)[:1]:
        raise table.error(
            int(row), f"the trace is longer than {MAX_SECONDS:,} s: cut it with --to SECOND"
        )
    return places


def _check_missing(table: Grid, places: Moments, step_s: int) -> None:
    """
    Raise TraceError if more steps are missing than a short outage of the collector explains: then a
    missing row may mean that no request arrived.
    """
    missing = int(places[-1]) + 1 - len(places)
    if table.options.gaps in ("keep", "drop") or missing <= MOST_LEFT_OUT * (places[-1] + 1):
        return
    row = int(np.flatnonzero(np.diff(places) > 1)[0]) + 1
    raise table.error(
        row,
        f"the time {_shown(table, row)} does not follow {_shown(table, row - 1)} by {step_s} s, "
        f"and {missing:,} of {places[-1] + 1:,} are missing: {SAY}",
    )


def _shown(table: Grid, row: int) -> str:
    moment = int(table.moments[row])
    if moment > SURE_S[0] * SECOND_NS:
        return shown(began(moment // SECOND_NS))
    return shown(f"{moment / SECOND_NS:.12g}")
