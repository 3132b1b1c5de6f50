"""
Synthetic loads for training, more varied than any one service: from silence with bursts to 800 rps.

Every load is a base rate times the exponential of random events (wandering on several time scales,
waves, plateaus, decaying spikes), observed with noise from none to more than Poisson's.
"""

from collections.abc import Callable

import numpy as np

from infadapter_forecasting.forecaster import Array, Rates

Random = np.random.Generator

LENGTHS_S = (2_400, 4_800, 7_200)
BASE_RPS = (0.3, 800.0)


def varied_loads(count: int, seed: int) -> list[Rates]:
    """Return per-second counts or rates; a larger `count` extends a smaller one."""
    return [_load(np.random.default_rng([seed, index])) for index in range(count)]


def _load(random: Random) -> Rates:
    seconds = int(random.choice(LENGTHS_S))
    log_rate = np.zeros(seconds)
    for happens, share in _HAPPENINGS:
        if random.random() < share:
            happens(random, log_rate)
    rate = _between(random, *BASE_RPS) * np.exp(np.clip(log_rate, -4, 3))
    if random.random() < 0.15:
        rate = np.minimum(rate * _sessions(random, seconds), 30 * rate.mean())
    return _seen(random, rate)


def _between(random: Random, low: float, high: float) -> float:
    """Draw log-uniformly."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _wander(random: Random, log_rate: Array) -> None:
    """Add a mean-reverting random walk."""
    memory_s, swing = _between(random, 6, 3_600), _between(random, 0.01, 0.4)
    seconds = len(log_rate)
    kernel = np.exp(-np.arange(min(seconds, int(6 * memory_s))) / memory_s)
    shocks = random.standard_normal(seconds + len(kernel))
    size = 1 << (len(shocks) + len(kernel)).bit_length()
    swings = np.fft.irfft(np.fft.rfft(shocks, size) * np.fft.rfft(kernel, size), size)
    log_rate += swing / np.sqrt((kernel**2).sum()) * swings[len(kernel) : len(kernel) + seconds]


def _wave(random: Random, log_rate: Array) -> None:
    period_s, height = _between(random, 40, 86_400), random.uniform(0.05, 0.8)
    at = np.arange(len(log_rate)) / period_s + random.random()
    log_rate += height * np.sin(2 * np.pi * at)


def _plateaus(random: Random, log_rate: Array) -> None:
    """Add plateaus above or below, entered at once or over a minute."""
    seconds, height = len(log_rate), _between(random, 0.15, 1.6)
    longest_ramp_s = 90.0 if random.random() < 0.6 else 1.5
    for _ in range(random.poisson(seconds / 3_600 * _between(random, 0.5, 15))):
        at = np.arange(seconds) - random.integers(seconds)
        ramps = _between(random, 1, longest_ramp_s), _between(random, 1, longest_ramp_s)
        lasts_s = _between(random, 15, 1_500)
        shape = np.minimum((at + 1) / ramps[0], (lasts_s - at) / ramps[1]).clip(0, 1)
        up = random.normal()
        log_rate += height * (up if random.random() < 0.5 else abs(up)) * shape


def _spikes(random: Random, log_rate: Array) -> None:
    """Add spikes that rise at once and decay exponentially."""
    seconds, height = len(log_rate), _between(random, 0.1, 1.3)
    for _ in range(random.poisson(seconds / 3_600 * _between(random, 1, 40))):
        start = int(random.integers(seconds))
        decay = np.exp(-np.arange(seconds - start) / _between(random, 2, 200))
        log_rate[start:] += height * abs(random.normal()) * decay


_HAPPENINGS: tuple[tuple[Callable[[Random, Array], None], float], ...] = (
    (_wander, 0.6),
    (_wander, 0.6),
    (_wander, 0.4),
    (_wave, 0.4),
    (_wave, 0.2),
    (_plateaus, 0.6),
    (_spikes, 0.3),
)


def _sessions(random: Random, seconds: int) -> Array:
    """Return (seconds,) factors of alternating on and off times, with a random height each."""
    on_s, off_s = _between(random, 1, 60), _between(random, 3, 150)
    unlike = float(random.choice([0.0, 0.5, 1.0]))
    factors = np.full(seconds, 0.1 if random.random() < 0.3 else 0.0)
    at = 0
    while at < seconds:
        lasts = int(random.exponential(on_s)) + 1
        factors[at : at + lasts] += np.exp(unlike * random.normal())
        at += lasts + int(random.exponential(off_s)) + 1
    return factors


def _seen(random: Random, rate: Array) -> Rates:
    """Return the load as measured: exact, as Poisson counts, or as noisier counts."""
    kind = random.random()
    if kind < 0.15:
        return rate if random.random() < 0.5 else np.round(rate)
    if kind < 0.5:
        return random.poisson(rate).astype(np.float64)
    swing, lasts_s = _between(random, 0.02, 0.3), int(_between(random, 1, 12))
    swings = random.gamma(swing**-2, swing**2, len(rate) // lasts_s + 1)
    noisy = rate * np.repeat(swings, lasts_s)[: len(rate)]
    if kind < 0.75:
        usual = 1 / _between(random, 1.05, 2.5)  # one over the variance beside Poisson's
        many = np.maximum(noisy * usual / (1 - usual), 1e-6)
        return random.negative_binomial(many, usual).astype(np.float64)
    return random.poisson(noisy).astype(np.float64)
