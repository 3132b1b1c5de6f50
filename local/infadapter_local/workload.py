"""The demo's load: a trace compressed into a minute, with the same arrivals for every policy."""

from dataclasses import dataclass

import numpy as np

from infadapter_server.loadgen.moments import check_size
from infadapter_workload.arrivals import constant_rate, played
from infadapter_workload.reading import named_trace
from infadapter_workload.trace import Array, Trace, TraceError

LEAD_IN_S = 6.0
"""Load like the beginning's before second 0, in which every policy starts its pods, s."""

_STEPS = 240
# The shape of InfAdapter's evaluation (EuroMLSys'23, figure 5): 45 requests/s, a burst of five
# times that, and back; with less before it and more after it, so that a minute shows the loop
# scale down too. Fractions of the time, and requests/s.
_BURST = ((0.0, 45), (0.28, 46), (0.33, 205), (0.42, 222), (0.50, 210), (0.56, 150), (0.64, 52))
_WIGGLE = 0.06  # relative amplitude of swings over seconds, as in real traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Arrival times in seconds from the start of the lead-in."""

    arrivals_s: Array
    rates_rps: Array  # of the trace as it is played
    step_s: float

    @property
    def duration_s(self) -> float:
        """Duration of the trace without the lead-in, s."""
        return len(self.rates_rps) * self.step_s

    @property
    def end_s(self) -> float:
        return LEAD_IN_S + self.duration_s


def burst(seed: int) -> Trace:
    """Return the default trace, still to be compressed and scaled."""
    at = np.linspace(0.0, 1.0, _STEPS, endpoint=False)
    shape = np.interp(at, [time for time, _ in _BURST], [rate for _, rate in _BURST])
    rng = np.random.default_rng(seed)
    swings = np.interp(at, np.linspace(0, 1, 25), rng.normal(1.0, _WIGGLE, 25))
    return Trace(name="generated burst", rates=shape * swings)


def load_trace(name: str | None, seed: int) -> Trace:
    """Return the trace of a file or a synthetic one, by default the burst. Raises TraceError."""
    return burst(seed) if name is None else named_trace(name, keep_zeros=True)


def peak_rps(trace: Trace) -> float:
    """Return the highest mean over a twentieth of the time, which a plan must serve."""
    width = max(1, trace.seconds // 20)
    means = np.convolve(trace.rates, np.ones(width) / width, mode="valid")
    return float(means.max())


def workload(trace: Trace, *, duration_s: float, scale: float, seed: int) -> Workload:
    """
    Play the whole trace in `duration_s`, with its rates multiplied by `scale`. Raises TraceError if
    that is too much for one run, or nothing.
    """
    step_s, first_rps = duration_s / trace.seconds, _first_rps(trace)
    requests = trace.mean_rps * duration_s + first_rps * LEAD_IN_S
    check_size(LEAD_IN_S + duration_s, requests * scale)  # floats, since they overflow silently
    lead_in = constant_rate(first_rps * scale, LEAD_IN_S, seed=seed + 1)
    arrivals = played(trace, seed, scale=scale, step_s=step_s)
    if not len(arrivals):
        raise TraceError(f"Scaled by {scale:g}, the trace has no request in {duration_s:g} s.")
    return Workload(
        arrivals_s=np.concatenate([lead_in, LEAD_IN_S + arrivals]),
        rates_rps=trace.rates * scale,
        step_s=step_s,
    )


def _first_rps(trace: Trace) -> float:
    """Return the mean over the first twentieth of the time."""
    return float(trace.rates[: max(1, trace.seconds // 20)].mean())
