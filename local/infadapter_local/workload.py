"""The load of the demo: a trace played in a minute, the same arrivals for every policy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infadapter_server.loadgen.arrivals import Array, piecewise_rate
from infadapter_server.loadgen.moments import check_size
from infadapter_server.loadgen.traces import Trace, TraceError, compressed, read_trace, scaled

LEAD_IN_S = 6.0
"""Load like that of the beginning, before second 0, in which every policy gets its pods running."""

_STEPS = 240
# The shape of InfAdapter's evaluation (EuroMLSys'23, figure 5): 45 requests/s, a burst of five
# times that, and back; with less before it and more after it, so that a minute shows the loop
# scale down too. Fractions of the time, and requests/s.
_BURST = ((0.0, 45), (0.28, 46), (0.33, 205), (0.42, 222), (0.50, 210), (0.56, 150), (0.64, 52))
_WIGGLE = 0.06  # of the rate, seconds-long swings as in real traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """When requests arrive, in seconds from the start of the lead-in."""

    arrivals_s: Array
    rates_rps: Array  # of the trace as it is played
    step_s: float

    @property
    def duration_s(self) -> float:
        """Of the trace, without the lead-in."""
        return len(self.rates_rps) * self.step_s

    @property
    def end_s(self) -> float:
        return LEAD_IN_S + self.duration_s


def burst(seed: int) -> Trace:
    """Return the default trace, a second long; it is to be compressed and scaled."""
    at = np.linspace(0.0, 1.0, _STEPS, endpoint=False)
    shape = np.interp(at, [time for time, _ in _BURST], [rate for _, rate in _BURST])
    rng = np.random.default_rng(seed)
    swings = np.interp(at, np.linspace(0, 1, 25), rng.normal(1.0, _WIGGLE, 25))
    return Trace(rates_rps=shape * swings, step_s=1 / _STEPS)


def load_trace(path: Path | None, seed: int) -> Trace:
    """Read a trace that has requests, or make the default one. Raises TraceError."""
    if path is None:
        return burst(seed)
    trace = read_trace(path)
    if not trace.rates_rps.any():
        raise TraceError(f"The trace {path} holds no requests, only {len(trace.rates_rps)} zeros.")
    return trace


def peak_rps(trace: Trace) -> float:
    """The highest mean over a twentieth of the time: what a plan must serve."""
    width = max(1, len(trace.rates_rps) // 20)
    means = np.convolve(trace.rates_rps, np.ones(width) / width, mode="valid")
    return float(means.max())


def workload(trace: Trace, *, duration_s: float, scale: float, seed: int) -> Workload:
    """
    Play the whole trace in so many seconds, its rates multiplied.

    Raises TraceError when that is too much for one run, or nothing.
    """
    requests = float(trace.rates_rps.mean()) * duration_s + _first_rps(trace) * LEAD_IN_S
    check_size(LEAD_IN_S + duration_s, requests * scale)  # of floats, which overflow in silence
    played = scaled(compressed(trace, duration_s), scale)
    lead_in = piecewise_rate([_first_rps(played)], step_s=LEAD_IN_S, seed=seed + 1)
    arrivals = piecewise_rate(played.rates_rps, step_s=played.step_s, seed=seed)
    if not len(arrivals):
        raise TraceError(f"Scaled by {scale:g}, the trace has no request in {duration_s:g} s.")
    return Workload(
        arrivals_s=np.concatenate([lead_in, LEAD_IN_S + arrivals]),
        rates_rps=played.rates_rps,
        step_s=played.step_s,
    )


def _first_rps(trace: Trace) -> float:
    """The mean over the first twentieth of the time."""
    return float(trace.rates_rps[: max(1, len(trace.rates_rps) // 20)].mean())
