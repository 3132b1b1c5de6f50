"""Traces derived from traces: scaled, sliced, or without a collector's gaps."""

import math
from dataclasses import replace

import numpy as np

from infadapter_workload.trace import MAX_REQUESTS, MAX_RPS, Array, Trace, TraceError, per_second

_SHIFT_S = (
    5.0  # largest shift of a copied request: it differs from the original, but stays in its burst
)


def scaled(trace: Trace, factor: float, seed: int) -> Trace:
    """
    Return the trace with `factor` times the load in the same shape.

    Rates are multiplied, and no longer count as counted. Time stamps are thinned out at random;
    above 1, copies shifted by some seconds are added. Raises TraceError for a factor that is not
    above 0, or for an impossible load.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise TraceError(f"A trace can be scaled by a number above 0 only, not by {factor:g}.")
    if trace.peak_rps * factor > MAX_RPS:
        raise TraceError(
            f"Scaled by {factor:g}, the trace {trace.name} has more than {MAX_RPS:,.0f} requests "
            "per second."
        )
    if factor == 1:
        return trace
    notes = (*trace.notes, f"scaled by {factor:g}")
    if trace.arrivals_s is None:
        return replace(trace, rates=trace.rates * factor, counted=False, notes=notes)
    _check_size(trace, factor)
    times = _superposed(trace.arrivals_s, trace.seconds, factor, np.random.default_rng(seed))
    return replace(trace, rates=per_second(times, trace.seconds), arrivals_s=times, notes=notes)


def sliced(trace: Trace, from_s: int, to_s: int) -> Trace:
    """
    Return the seconds from `from_s` up to, not including, `to_s`. Raises TraceError if the trace
    lacks them.
    """
    if not 0 <= from_s < to_s <= trace.seconds:
        raise TraceError(
            f"The trace {trace.name} lasts {trace.seconds} s; it has no part from {from_s} s to "
            f"{to_s} s."
        )
    times = trace.arrivals_s
    if times is not None:
        first, last = np.searchsorted(times, [from_s, to_s])
        times = times[first:last] - from_s
    note = f"cut to the part from {from_s} s to {to_s} s"
    return replace(
        trace,
        rates=trace.rates[from_s:to_s],
        arrivals_s=times,
        notes=(*trace.notes, note),
        began_s=None if trace.began_s is None else trace.began_s + from_s,
    )


def without_gaps(trace: Trace, longest_s: int = 10) -> Trace:
    """
    Return the trace without runs of so many or more seconds without arrivals, with a note. In those
    the collector was down. Time stamps are unchanged: between them silence was observed.
    """
    if trace.arrivals_s is not None:
        return trace
    runs = zero_runs(trace.rates)
    runs = runs[np.diff(runs, axis=1)[:, 0] >= longest_s]
    if not len(runs):
        return trace
    kept = np.ones(trace.seconds, dtype=bool)
    for first, end in runs:
        kept[first:end] = False
    note = (
        f"dropped {trace.seconds - int(kept.sum()):,} s in {len(runs)} run"
        f"{'s' if len(runs) > 1 else ''} of {longest_s} s or more without a request, as gaps of "
        "the collector"
    )
    return replace(trace, rates=trace.rates[kept], notes=(*trace.notes, note), began_s=None)


def zero_runs(rates: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the first second and the end of each run of zeros, one run per row."""
    silent = np.concatenate([[False], rates == 0, [False]])
    return np.flatnonzero(np.diff(silent)).reshape(-1, 2)


def _superposed(times: Array, seconds: int, factor: float, rng: np.random.Generator) -> Array:
    """Add whole copies and a thinned one; what is shifted over an end wraps around."""
    shift_s = min(_SHIFT_S, seconds / 20)
    parts = []
    for copy in range(math.ceil(factor)):
        part = times if copy == 0 else (times + rng.uniform(-shift_s, shift_s)) % seconds
        share = min(1.0, factor - copy)
        parts.append(part if share == 1 else part[rng.random(len(part)) < share])
    together = np.concatenate(parts)
    together[together >= seconds] = (
        0.0  # the remainder of a tiny negative number may be rounded up to `seconds`
    )
    together.sort()
    return together


def _check_size(trace: Trace, factor: float) -> None:
    if trace.requests * factor > MAX_REQUESTS:
        raise TraceError(
            f"Scaled by {factor:g}, the trace {trace.name} has more than {MAX_REQUESTS:,} requests."
        )
