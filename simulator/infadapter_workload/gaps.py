"""Silence and missing steps: either a load of 0, or unknown seconds, which are left out."""

import numpy as np
import numpy.typing as npt

from infadapter_workload.series import Series
from infadapter_workload.shaping import without_gaps, zero_runs
from infadapter_workload.trace import Array, Trace, TraceError

LONGEST_S = 10
"""Seconds from which silence may not be load, in per-second counts of a busy service."""

BUSY_RPS = 2.0
"""
At this rate ten silent seconds occur by chance once in years; at a lower load they are normal.
"""

MOST_LEFT_OUT = 0.05
"""Share of a trace that may be left out as gaps without asking; a real fortnight had 2 %."""

SAY = "say --trace-gaps keep if that is load of 0, or drop if it was not recorded"


def resolve_gaps(series: Series, gaps: str | None, where: str) -> Trace:
    """
    Return the trace; `gaps` is the option in `ReadOptions`. Raises TraceError if the user must
    decide, or if there is no load.
    """
    missing = np.isnan(series.rates)
    if not np.nansum(series.rates):
        raise TraceError(
            f"The trace {where} holds no requests, only {series.seconds:,} s of zeros."
        )
    if missing.any():
        return _without_missing(series, missing, gaps, where)
    trace = series.trace(series.rates)
    if gaps == "keep" or not series.collected or not _busy(trace):
        return series.trace(series.rates, _kept(series, gaps))
    return _without_silence(trace, gaps, where)


def _kept(series: Series, gaps: str | None) -> tuple[str, ...]:
    """
    Return notes on long silence in a series that was recorded in steps, which is never treated as a
    gap.
    """
    silent_s = int(np.diff(_silences(series.rates), axis=1).sum())
    busy_s = series.seconds - silent_s
    recorded = series.step_s > 1 or (series.collected and not series.counted)
    busy = not series.collected and series.rates.sum() >= BUSY_RPS * busy_s  # for example a log
    if gaps == "keep" or not (recorded or busy) or silent_s <= MOST_LEFT_OUT * series.seconds:
        return ()
    return (f"{silent_s:,} s of silence are taken as load of 0",)


def _silences(rates: Array) -> npt.NDArray[np.int64]:
    runs = zero_runs(rates)
    return runs[np.diff(runs, axis=1)[:, 0] >= LONGEST_S]


def _without_missing(
    series: Series, missing: npt.NDArray[np.bool_], gaps: str | None, where: str
) -> Trace:
    runs = zero_runs(np.where(missing, 0.0, 1.0))
    lost_s, first_s = int(missing.sum()), int(runs[0][0])
    found = f"{len(runs)} gap{'s' if len(runs) > 1 else ''} with {lost_s:,} s without data"
    if gaps == "keep":
        note = f"{found} are taken as load of 0, the first at {first_s:,} s"
        return series.trace(np.nan_to_num(series.rates), (note,))
    if gaps != "drop" and lost_s > MOST_LEFT_OUT * series.seconds:
        raise TraceError(
            f"The trace {where} has no numbers for {lost_s:,} of its {series.seconds:,} s, the "
            f"first at {first_s:,} s: {SAY}."
        )
    note = f"left out {found}, the first at {first_s:,} s"
    left = series.trace(series.rates[~missing], (note,))
    if not series.collected or not _busy(left):
        return left
    return _without_silence(left, gaps, where)


def _without_silence(trace: Trace, gaps: str | None, where: str) -> Trace:
    runs = _silences(trace.rates)
    silent_s = int(np.diff(runs, axis=1).sum())
    if gaps == "ask" and silent_s > MOST_LEFT_OUT * trace.seconds:
        raise TraceError(
            f"The trace {where} has {silent_s:,} of its {trace.seconds:,} s in {len(runs)} "
            f"silence{'s' if len(runs) > 1 else ''} of {LONGEST_S} s or more, the first at "
            f"{int(runs[0][0]):,} s: {SAY}."
        )
    return without_gaps(trace, LONGEST_S)


def _busy(trace: Trace) -> bool:
    return trace.counted and trace.mean_rps >= BUSY_RPS
