"""
The reserve: the capacity that the next seconds may need beyond the current rate, at a quantile.

Running pods grow within a second, and starts are bridged. So only the time in which a decision
takes effect has to be foreseen. Over so short a time the best forecast is the current rate, and its
errors of the last half hour determine the reserve: almost none for a steady load, much for one that
jumps every few minutes.

The capacity that arrivals need follows from their arrival curve. A pod's queue absorbs short
excesses, since a request may wait as long as the SLO allows: one second of twice the load needs no
second pod, ten such seconds do. Over any time w, arrivals A need a capacity of A / (w + b), where b
is how long a request may wait; the maximum over w is the need (leaky bucket of network calculus; Le
Boudec and Thiran, 2001, chapter 1).
"""

import functools
import math
from collections.abc import Sequence
from itertools import accumulate, repeat
from typing import NamedTuple

import numpy as np

from infadapter_forecasting.forecaster import Array, Rates
from infadapter_forecasting.noise import SURPRISE_SIGMAS, noise_rps

REACTION_S = 4
"""Seconds from an arrival to the capacity for it: a scrape, a cycle, a resize, new weights."""

MEMORY_S = 1_800
"""Seconds of history from which errors are taken: enough for hundreds of them, and still recent."""

LEAST_MEMORY_S = 1_200
"""A shorter history counts as if it were this long: its only jump is no pattern yet."""

BASELINE_S = 10.0
"""Time constant of the exponential mean from which past errors are counted."""

BLOCK_SAMPLES = 128

USUAL_S = (600, 300, 120, 60, 30, 10)
"""
Window lengths (s). The usual rate of a steady load is the mean over the first one that shorter ones
do not contradict: accurate to a few per cent, and not older than a change.
"""

MOST_SURPRISED = 0.05
"""
Share of seconds in which the longest window may be contradicted for the load to count as steady.
"""

NOW_S = 3
"""Shortest averaging time of the current rate, where it is higher than the usual one."""

QUANTILE_UNCERTAINTY = 0.7
"""
Limit on how rare an event the reserve covers, times the root of the number of requests in memory:
with fewer requests less is known about rare events.
"""

WINDOWS_S = (1, 2, 3, 5, 10)
"""Window lengths (s) of the arrival curve; in longer ones a queue makes no difference."""

WAIT_SHARE = 0.8
"""Share of the SLO for which a request may wait; the rest is its own service time."""


class Reserve(NamedTuple):
    """
    The capacity for the next REACTION_S: at the quantile, and slightly below it.

    If errors are of two kinds, noise and jumps, a quantile between them flips from cycle to cycle,
    and both values cost the same. A plan that satisfies the lower one may stay (hysteresis).
    """

    rps: float
    least_rps: float


EXCEEDANCE_HYSTERESIS = 1.4
"""Factor on how often a plan may be exceeded before it is replaced by one with more reserve."""


def needed_soon(rates: Rates, slo_s: float, now_rps: float, quantile: float) -> Reserve:
    """
    Return the reserve, at least the current rate.

    Errors are differences, not ratios: after a jump from 10 to 100 rps, a ratio would predict 1000.
    """
    recent = rates[-MEMORY_S:]
    needed = needs(recent, slo_s)
    came = highest_ahead(needed, REACTION_S)
    allowed = (1 - quantile) * max(len(came), LEAST_MEMORY_S)
    if len(came) <= math.ceil(allowed):
        rps = now_rps + float(np.sqrt(now_rps))
        return Reserve(rps, rps)
    usual, base_rps = _usual(recent, now_rps)
    exceeded = (math.ceil(allowed), math.ceil(EXCEEDANCE_HYSTERESIS * allowed))
    ranks = [max(0, len(came) - 1 - times) for times in exceeded]
    errors = np.partition(came - usual[: len(came)], ranks)
    # A step that was observed is not expected a second time on top of itself.
    most_rps = max(float(needed.max()), now_rps) + float(np.sqrt(now_rps))
    return Reserve(*(max(now_rps, min(base_rps + float(errors[rank]), most_rps)) for rank in ranks))


def _usual(rates: Rates, now_rps: float) -> tuple[Array, float]:
    """
    Return, by second, the rate from which errors are counted, and the rate to which the reserve is
    added now.

    For a steady load the noise of the current rate is one of the errors that the reserve covers.
    Added to that rate, noise would count twice and the plan would follow it.
    """
    lately, contradicted = usual_rps(rates, max(0, len(rates) - USUAL_S[0]))
    if np.count_nonzero(contradicted) / len(contradicted) > MOST_SURPRISED:
        usual = exponential_mean(rates, BASELINE_S)
        return usual, max(float(usual[-1]), now_rps)
    usual = np.concatenate([usual_rps(rates[: -len(lately)])[0], lately])
    latest_rps = float(usual[-1])
    is_noise = now_rps - latest_rps <= SURPRISE_SIGMAS * noise_rps(latest_rps, NOW_S)
    return usual, latest_rps if is_noise else now_rps


def usual_rps(rates: Rates, first: int = 0) -> tuple[Array, Array]:
    """
    Return, by second from `first` on, the usual rate at its end, and whether the longest mean is
    contradicted.
    """
    sums = np.concatenate([np.zeros(USUAL_S[0]), np.cumsum(rates)])
    lengths = [length[first:] for length in _lengths(len(rates))]
    latest = sums[USUAL_S[0] + first :]
    before = [sums[USUAL_S[0] - window_s + first :][: len(latest)] for window_s in USUAL_S]
    means = [(latest - then) / length for then, length in zip(before, lengths, strict=True)]
    found = longest = means[0]
    for shorter, length in zip(means[1:], lengths[1:], strict=True):
        noise = np.sqrt(np.maximum(shorter, found) / length)
        found = np.where(np.abs(shorter - found) > SURPRISE_SIGMAS * noise, shorter, found)
    return found, found != longest


@functools.lru_cache(maxsize=8)
def _lengths(seconds: int) -> list[Array]:
    """
    Return the lengths of the windows that end with each second, limited by the history until then.
    """
    ends = np.arange(1.0, seconds + 1)
    return [np.minimum(ends, window_s) for window_s in USUAL_S]


def needs(rates: Rates, slo_s: float, windows_s: tuple[int, ...] = WINDOWS_S) -> Array:
    """Return, by second, the capacity that the arrivals up to its end need, rps."""
    sums = np.concatenate([[0.0], np.cumsum(rates)])
    found = np.zeros(len(rates))
    for window in windows_s:
        if window <= len(rates):
            arrived = sums[window:] - sums[:-window]
            needed = arrived / (window + WAIT_SHARE * slo_s)
            found[window - 1 :] = np.maximum(found[window - 1 :], needed)
    return found


def latest_need_rps(rates: Sequence[float], slo_s: float, windows_s: tuple[int, ...]) -> float:
    """
    Return the last value of `needs` for a few seconds, without arrays, as every cycle asks for it.
    """
    sums = [0.0, *accumulate(rates)]
    known = [window for window in windows_s if window <= len(rates)]
    needed = ((sums[-1] - sums[-1 - w]) / (w + WAIT_SHARE * slo_s) for w in known)
    return max(needed, default=0.0)


def highest_ahead(values: Array, horizon: int) -> Array:
    """Return, by index i, the highest of the `horizon` values after i, where all of them exist."""
    if len(values) <= horizon:
        return np.empty(0)
    ends = len(values) - horizon
    return functools.reduce(np.maximum, [values[1 + s : 1 + s + ends] for s in range(horizon)])


def highest_need_rps(rates: Rates, slo_s: float, window_s: float) -> float:
    """Return the highest need of the last `window_s`, rps."""
    return float(needs(rates[-int(window_s) - 10 :], slo_s)[-int(window_s) :].max())


def exponential_mean(values: Array, over_s: float) -> Array:
    """
    Return, by second, the mean of all values until then, in which a value of `over_s` ago weighs
    1/e. Computed in blocks as geometric sums; a loop over half an hour would take longer than the
    solver.
    """
    kernel, fading = _block_sums(over_s)
    whole, left = divmod(len(values), BLOCK_SAMPLES)
    parts = values[: whole * BLOCK_SAMPLES].reshape(whole, BLOCK_SAMPLES, 1)
    found = (kernel @ parts)[:, :, 0]
    befores = [float(values[: int(over_s)].mean())]
    for last, fades in zip(found[:, -1].tolist(), repeat(float(fading[-1]))):
        befores.append(last + fades * befores[-1])
    found += fading * np.array(befores[:-1])[:, None]
    part = values[whole * BLOCK_SAMPLES :]
    latest = kernel[:left, :left] @ part + fading[:left] * befores[-1]
    return np.concatenate([found.ravel(), latest])


@functools.cache
def _block_sums(over_s: float) -> tuple[Array, Array]:
    """Return what each value of a block adds to the means after it, and how earlier values fade."""
    keep = np.exp(-1.0 / over_s)
    apart = np.subtract.outer(np.arange(BLOCK_SAMPLES), np.arange(BLOCK_SAMPLES))
    return (1 - keep) * np.tril(keep ** np.abs(apart)), keep ** np.arange(1, BLOCK_SAMPLES + 1)


def newsvendor_quantile(rps: float, *, lost: float, price: float, least: float) -> float:
    """
    Return the newsvendor's critical ratio: beyond this quantile more reserve costs more than it
    saves.

    A refused request costs `lost`, capacity for one more per second costs `price`, in the same
    unit. At a low load a core is cheap relative to what it may lose. The result is at least
    `least`.
    """
    if lost <= 0:
        return least
    rps = max(rps, 1.0)
    worthwhile = 1.0 - price * rps / lost
    known = 1.0 - QUANTILE_UNCERTAINTY / math.sqrt(rps * MEMORY_S)
    return min(max(worthwhile, least), max(known, least))
