"""From what a user asks for to the moments of the requests, within bounds."""

import math
from pathlib import Path

import numpy as np

from infadapter_workload.arrivals import constant_rate, played
from infadapter_workload.shaping import sliced
from infadapter_workload.trace import Array, Trace, TraceError

MAX_REQUESTS = 5_000_000
MAX_DURATION_S = 86_400.0


def of_trace(
    trace: Trace, *, scale: float, seed: int, duration_s: float | None, compress_s: float | None
) -> Array:
    """Return the arrivals of a trace: cut to whole seconds, then compressed, then scaled.

    Raises TraceError when that is too much for one run.
    """
    if duration_s is not None:
        trace = sliced(trace, 0, min(trace.seconds, math.ceil(duration_s)))
    step_s = 1.0 if compress_s is None else compress_s / trace.seconds
    check_size(trace.seconds * step_s, trace.requests * scale * step_s)
    return played(trace, seed, scale=scale, step_s=step_s)


def of_rate(rate_rps: float, duration_s: float, *, seed: int) -> Array:
    """Return Poisson arrivals of one rate.

    Raises TraceError when that is too much for one run.
    """
    check_size(duration_s, rate_rps * duration_s)
    return constant_rate(rate_rps, duration_s, seed=seed)


def read_moments(path: Path) -> Array:
    """Read moments as they are, in seconds from the start, one a line.

    Raises TraceError when they are not sorted numbers from 0 on, or too many for one run.
    """
    try:
        if path.is_char_device():  # which may have no end
            raise ValueError
        moments = np.loadtxt(path, ndmin=1)
    except (ValueError, OSError) as error:
        raise TraceError(f"The arrivals {path} must hold one number a line.") from error
    sorted_numbers = moments.ndim == 1 and bool(np.isfinite(moments).all())
    if not sorted_numbers or np.any(np.diff(moments, prepend=0.0) < 0):
        raise TraceError(f"The arrivals {path} must be finite, sorted and not below 0.")
    check_size(float(moments.max(initial=0.0)), len(moments))
    return moments


def check_size(duration_s: float, requests: float) -> None:
    """Raise TraceError when that is too much for one run."""
    if not duration_s <= MAX_DURATION_S:
        raise TraceError(
            f"A run may last {MAX_DURATION_S:g} s, not {duration_s:g} s; cut or compress it."
        )
    if not requests <= MAX_REQUESTS:
        asked = f"{requests:,.0f}" if requests < 1e15 else f"{requests:.2g}"
        raise TraceError(f"A run may send {MAX_REQUESTS:,} requests, not {asked}; scale or cut it.")
