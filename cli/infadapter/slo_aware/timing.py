"""Measure compared times in turn, so that other load slows all of them alike."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

ROUNDS = 20

Answer = Callable[[Any], object]


def medians_s(answers: Mapping[str, Answer], inputs: Any, each: int) -> dict[str, float]:
    """
    Return the median over rounds of a query's mean time, s: one query after another, hash included.
    """
    found: dict[str, list[float]] = {name: [] for name in answers}
    for round in range(ROUNDS):
        some = inputs[np.arange(round * each, (round + 1) * each) % len(inputs)]
        for name, answer in answers.items():
            answer(some[0])
            began_s = time.perf_counter()
            for x in some:
                answer(x)
            found[name].append((time.perf_counter() - began_s) / each)
    return {name: float(np.median(taken)) for name, taken in found.items()}


def points_lost(full: float, right: Any) -> float:
    """Return the accuracy lost against the full network on the same inputs, in points."""
    return 100 * (full - float(np.mean(right)))
