"""When requests arrive: Poisson streams, in seconds from the start, decided before any is sent.

Open loop means that a request is sent when it is due, however slow the answers are. So the moments
are data, drawn once from a seed, and every policy under comparison can be given the same ones.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def constant_rate(rate_rps: float, duration_s: float, *, seed: int) -> Array:
    """Return a Poisson stream of one rate over [0, duration_s), sorted.

    Raises ValueError for a rate or duration that is negative, infinite or no number.
    """
    _check(np.array([rate_rps, duration_s]))
    whole = int(duration_s)
    rates = np.full(whole + 1, rate_rps)
    arrivals = piecewise_rate(rates, seed=seed)
    return arrivals[: np.searchsorted(arrivals, duration_s)]


def given_count(requests: int, duration_s: float, *, seed: int) -> Array:
    """Return a Poisson stream over [0, duration_s) of which it is known how many arrive, sorted.

    For short measurements: the rate is the one that was asked for, not one near it.
    """
    _check(np.array([requests, duration_s]))
    moments: Array = np.random.default_rng(seed).random(requests) * duration_s
    moments.sort()
    return moments


def piecewise_rate(rates_rps: npt.ArrayLike, *, seed: int, step_s: float = 1.0) -> Array:
    """Return a Poisson stream whose rate is rates_rps[i] over [i, i + 1) · step_s, sorted.

    A recorded count is taken as a rate, not repeated exactly: once it is scaled it is no whole
    number any more. A shorter list gives a prefix of what the longer one gives.

    Raises ValueError for a rate that is negative, infinite or no number.
    """
    rates = np.asarray(rates_rps, float)
    _check(rates)
    _check(np.array([step_s]))
    count_seed, place_seed = np.random.SeedSequence(seed).spawn(2)
    counts = np.random.default_rng(count_seed).poisson(rates * step_s)
    # Given how many arrive in a step, a Poisson stream's arrivals lie uniformly within it.
    places = np.random.default_rng(place_seed).random(int(counts.sum()))
    arrivals: Array = (np.repeat(np.arange(len(rates)), counts) + places) * step_s
    arrivals.sort()
    return arrivals


def _check(numbers: Array) -> None:
    wrong = numbers[~(np.isfinite(numbers) & (numbers >= 0))]
    if wrong.size:
        raise ValueError(f"A rate or duration must be a finite number from 0 on, not {wrong[0]}.")
