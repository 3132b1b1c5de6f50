"""
Shapes of load by second, as multiples of a level, from which synthetic traces are made.

Each shape draws its parameters (periods, heights, times) from the given generator. Times are in
seconds and do not scale with the trace, except the period of a day.
"""

from collections.abc import Callable, Mapping

import numpy as np

from infadapter_workload.trace import Array

Shape = Callable[[np.random.Generator, int], Array]


def diurnal(rng: np.random.Generator, seconds: int) -> Array:
    """
    Days compressed to between a third and all of the trace, with a second peak in the evening.
    """
    at = np.arange(seconds) * (2 * np.pi / (seconds * rng.uniform(1 / 3, 1)))
    first, second = rng.uniform(0, 2 * np.pi, 2)
    height = rng.uniform(0.4, 0.65)
    waves = np.sin(at + first) + 0.3 * np.sin(2 * at + second)
    return np.asarray(1 + height * waves)


def bursty(rng: np.random.Generator, seconds: int) -> Array:
    """A slowly wandering level with bursts of some minutes, one in seven minutes on average."""
    load = _wandering(rng, seconds)
    for start in _moments(rng, seconds, apart_s=420):
        load += rng.uniform(0.8, 3) * _burst(
            seconds,
            start_s=start,
            rise_s=rng.uniform(5, 40),
            hold_s=rng.uniform(10, 120),
            decay_s=rng.uniform(15, 90),
        )
    return load


def flash_crowd(rng: np.random.Generator, seconds: int) -> Array:
    """A level with a crowd that comes within a minute, once an hour, and leaves over minutes."""
    load = _wandering(rng, seconds)
    for hour in range(max(1, round(seconds / 3600))):
        load += rng.uniform(2, 4) * _burst(
            seconds,
            start_s=(hour + rng.uniform(0.15, 0.7)) * min(seconds, 3600),
            rise_s=rng.uniform(10, 60),
            hold_s=rng.uniform(0, 60),
            decay_s=rng.uniform(90, 360),
        )
    return load


def ramps(rng: np.random.Generator, seconds: int) -> Array:
    """Linear ramps between levels, two to ten minutes each, sometimes flat."""
    ends = _dwells(rng, seconds, 120, 600)
    levels = rng.uniform(0.25, 2, len(ends))
    level = np.flatnonzero(rng.random(len(ends) - 1) < 0.25)
    levels[level + 1] = levels[level]
    return np.interp(np.arange(seconds), ends, levels)


def on_off(rng: np.random.Generator, seconds: int) -> Array:
    """
    Two levels, such as 20 and 150, for one to seven minutes each; a switch takes some seconds.
    """
    low = 1 / rng.uniform(4, 8)
    ends = _dwells(rng, seconds, 60, 420)
    on = (np.arange(len(ends)) + rng.integers(2)) % 2
    switch_s = rng.uniform(2, 8, len(ends))
    times = np.stack([ends, ends + switch_s], axis=1).ravel()
    levels = np.stack([1 - on, on], axis=1).ravel() * (1 - low) + low
    return np.interp(np.arange(seconds), times, levels)


def regime_change(rng: np.random.Generator, seconds: int) -> Array:
    """Another level and period every 8 to 30 minutes, abruptly."""
    at = np.arange(seconds)
    starts = _dwells(rng, seconds, 480, 1800)
    if len(starts) < 3:
        starts = np.array([0.0, seconds * rng.uniform(0.3, 0.7), seconds])
    regime = np.searchsorted(starts, at, side="right") - 1
    levels = rng.uniform(0.4, 2, len(starts))[regime]
    periods_s = rng.uniform(60, 600, len(starts))[regime]
    heights = rng.uniform(0.05, 0.45, len(starts))[regime]
    return levels * (1 + heights * np.sin(2 * np.pi * at / periods_s))


def heavy_tail(rng: np.random.Generator, seconds: int) -> Array:
    """
    Sessions with Pareto-distributed lengths and rates, 15 to 40 at a time: load that is bursty on
    every scale. It includes the sessions that began within the hour before.
    """
    shortest_s, tail, before_s = 10.0, rng.uniform(1.2, 1.6), 3600
    mean_s = shortest_s * tail / (tail - 1)
    number = rng.poisson((seconds + before_s) / mean_s * rng.uniform(15, 40)) + 1
    starts = rng.uniform(-before_s, seconds, number)
    lengths = np.minimum(shortest_s * (1 + rng.pareto(tail, number)), before_s)
    rates = np.minimum(1 + rng.pareto(1.7, number), 15)
    change = np.zeros(seconds + 1)
    np.add.at(change, np.clip(starts, 0, seconds).astype(int), rates)
    np.add.at(change, np.clip(starts + lengths, 0, seconds).astype(int), -rates)
    load = np.maximum(change.cumsum()[:-1], 0)
    return np.asarray(load + 0.05 * load.mean() + 1e-9)


SHAPES: Mapping[str, Shape] = {
    "diurnal": diurnal,
    "bursty": bursty,
    "flash-crowd": flash_crowd,
    "ramps": ramps,
    "on-off": on_off,
    "regime-change": regime_change,
    "heavy-tail": heavy_tail,
}


def noise(rng: np.random.Generator, seconds: int, *, share: float, memory_s: float) -> Array:
    """
    Multiplicative noise around 1 with this standard deviation, and a memory of about memory_s.
    """
    length = int(5 * memory_s) + 1
    kernel = np.exp(-np.arange(length) / memory_s)
    kernel = kernel / np.sqrt((kernel**2).sum())
    swings = np.convolve(rng.standard_normal(seconds + length - 1), kernel, mode="valid")
    return np.asarray(np.exp(share * swings))


def _wandering(rng: np.random.Generator, seconds: int) -> Array:
    """A level near 1 that changes by a tenth or two over ten minutes."""
    knots = np.arange(0, seconds + 600, 600)
    levels = np.clip(rng.normal(1, 0.12, len(knots)), 0.6, 1.4)
    return np.interp(np.arange(seconds), knots, levels)


def _burst(seconds: int, *, start_s: float, rise_s: float, hold_s: float, decay_s: float) -> Array:
    """A linear rise from 0 to 1, a plateau, and an exponential decay."""
    since = np.arange(seconds) - start_s
    decay = np.exp(-(since - rise_s - hold_s).clip(0) / decay_s)
    return np.asarray((since / rise_s).clip(0, 1) * decay)


def _moments(rng: np.random.Generator, seconds: int, apart_s: float) -> Array:
    """Return a Poisson number of times, at least one."""
    return rng.uniform(0, seconds, max(1, rng.poisson(seconds / apart_s)))


def _dwells(rng: np.random.Generator, seconds: int, least_s: float, most_s: float) -> Array:
    """Return times from 0 to beyond the end, with these distances."""
    steps = rng.uniform(least_s, most_s, int(seconds / least_s) + 2)
    ends = np.concatenate([[0.0], steps.cumsum()])
    return ends[: int(np.searchsorted(ends, seconds)) + 1]
