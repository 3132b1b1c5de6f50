"""Times that are compared are taken in turn, so that whatever else runs slows all alike."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

ROUNDS = 20

Answer = Callable[[Any], object]


def medians_s(answers: Mapping[str, Answer], inputs: Any, each: int) -> dict[str, float]:
    """The median over rounds of the mean of a query, one query after another, hash included."""
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
    """Of accuracy, against the full network on the same inputs."""
    return 100 * (full - float(np.mean(right)))
