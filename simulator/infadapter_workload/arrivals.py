"""
Arrival times of a trace's requests: drawn once from a seed, the same for every policy compared.

Open loop: a request arrives when it is due, however slow the answers are.
"""

import numpy as np

from infadapter_workload.shaping import scaled
from infadapter_workload.trace import MAX_REQUESTS, Array, Trace, TraceError

_AT_ONCE_S = 1_800  # seconds sorted together: few enough to stay in the cache


def arrival_times(trace: Trace, seed: int) -> Array:
    """
    Return the times of all requests in seconds from the start, sorted.

    The trace's own time stamps, if it has them. Counted requests arrive in exactly that number,
    uniformly within the second (a Poisson process given its count). Rates are those of a Poisson
    process. A shorter trace gives a prefix of a longer one. Raises TraceError for more requests
    than fit into memory.
    """
    if trace.arrivals_s is not None:
        return trace.arrivals_s.copy()
    _check_size(trace.name, trace.requests)
    count_seed, place_seed = np.random.SeedSequence(seed).spawn(2)
    counts = poisson_counts(trace, np.random.default_rng(count_seed)).astype(np.int64)
    return _spread(counts, np.random.default_rng(place_seed))


def played(trace: Trace, seed: int, *, scale: float = 1.0, step_s: float = 1.0) -> Array:
    """
    Return its arrivals at `scale` times the load, with each second of the trace lasting `step_s`. A
    compressed trace keeps its rates, each for a shorter time, so fewer requests arrive. Raises
    TraceError for an impossible load.
    """
    return arrival_times(scaled(trace, scale * step_s, seed), seed) * step_s


def constant_rate(rate_rps: float, duration_s: float, *, seed: int) -> Array:
    """Return a Poisson process of one rate over [0, duration_s). Raises TraceError like a trace."""
    rates = np.full(int(duration_s) + 1, rate_rps)
    times = arrival_times(Trace(name=f"of {rate_rps:g} requests per second", rates=rates), seed)
    return times[: np.searchsorted(times, duration_s)]


def given_count(requests: int, duration_s: float, *, seed: int) -> Array:
    """
    Return a Poisson process over [0, duration_s) with a given number of arrivals, so that short
    measurements have exactly the requested rate.
    """
    times: Array = np.random.default_rng(seed).random(requests) * duration_s
    times.sort()
    return times


def poisson_counts(trace: Trace, rng: np.random.Generator) -> Array:
    """Return the number of requests in each second: counted, else drawn."""
    return trace.rates if trace.counted else rng.poisson(trace.rates).astype(np.float64)


def _spread(
    counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]], rng: np.random.Generator
) -> Array:
    ends = np.concatenate([[0], counts.cumsum()])
    times = np.empty(int(ends[-1]))
    for first in range(0, len(counts), _AT_ONCE_S):
        some = counts[first : first + _AT_ONCE_S]
        part = times[ends[first] : ends[first + len(some)]]
        # Single precision has 24 bits: its sum with the second is exact, so that no request
        # slips into the next one.
        part[:] = rng.random(len(part), dtype=np.float32)
        part += np.repeat(np.arange(first, first + len(some)), some)
        part.sort()
    return times


def _check_size(name: str, requests: float) -> None:
    if requests > MAX_REQUESTS:
        raise TraceError(
            f"The trace {name} has {requests:,.0f} requests, more than the {MAX_REQUESTS:,} that "
            "can be played at once; cut it or scale it down."
        )
