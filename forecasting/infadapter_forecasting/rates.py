"""From per-second rates to the target of forecasts: the highest mean over buckets."""

import numpy as np

from infadapter_forecasting.forecaster import FIRST_S, Array, Rates, Seconds


def per_second(at_s: Array, rates_rps: Array, end_s: float, length_s: int) -> Rates:
    """
    Return the last `length_s` seconds up to `end_s`, from samples in order of time.

    A sample stands for the time that ends with it. A second without a sample takes the next one,
    and seconds after the last sample take the last. Seconds before the first sample are left out.
    """
    if not len(at_s):
        return np.zeros(0)
    ends = end_s - np.arange(length_s - 1, -1, -1, dtype=np.float64)
    ends = ends[ends > at_s[0] - 1.0]
    index = np.searchsorted(at_s, ends - 1e-6)
    found: Rates = np.asarray(rates_rps, dtype=np.float64)[np.minimum(index, len(at_s) - 1)]
    return found


def moving_means(rates: Rates, length_s: int) -> Array:
    """
    Return (seconds − length + 1,): the mean of every `length_s` consecutive seconds, indexed by the
    first.
    """
    sums = np.concatenate(([0.0], np.cumsum(rates)))
    means: Array = (sums[length_s:] - sums[:-length_s]) / length_s
    return means


def buckets_in(horizon_s: int, bucket_s: int) -> int:
    """Return the number of buckets in a horizon, rounded up and at least one."""
    return max(1, -(-horizon_s // bucket_s))


def whole_s(horizon_s: int, bucket_s: int) -> int:
    """Return the seconds after which the outcome of a horizon is known."""
    return buckets_in(horizon_s, bucket_s) * bucket_s


def highest_after(rates: Rates, starts: Seconds, horizon_s: int, bucket_s: int) -> Array:
    """
    Return (starts,) rps: the highest bucket of each horizon that begins at one of these seconds;
    NaN where the rates end before. Buckets count from the start of the horizon.
    """
    count = buckets_in(horizon_s, bucket_s)
    found = np.full(len(starts), np.nan)
    known = np.flatnonzero((starts >= 0) & (starts + count * bucket_s <= len(rates)))
    if len(known):
        first = starts[known]
        low, high = int(first.min()), int(first.max()) + count * bucket_s
        means = moving_means(rates[low:high], bucket_s)
        steps = bucket_s * np.arange(count, dtype=np.intp)
        found[known] = means[(first - low)[:, None] + steps].max(axis=1)
    return found


def with_past(history: Rates, seconds: int) -> Rates:
    """Return the history preceded by `seconds` at the mean of its first half minute."""
    first = float(history[:FIRST_S].mean()) if len(history) else 0.0
    return np.concatenate((np.full(seconds, first), history))


def every(length_s: int, step_s: int, first_s: int = 1) -> Seconds:
    """Return origins `step_s` apart, the last at the end of the history."""
    return np.arange(length_s, first_s - 1, -step_s, dtype=np.intp)[::-1]
