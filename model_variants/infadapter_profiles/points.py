"""
An operating point: one accuracy and one cost at which a model can answer, chosen per batch.

This module imports nothing else, to keep the executor processes of a pod small.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_NAME_LETTERS = 63
"""Limit on the length of an operating point's name, in characters."""


@dataclass(frozen=True, slots=True)
class Point:
    """
    A profiled operating point: top-1 accuracy, in percent or as a fraction (the same for all points
    of a model), and execution time in seconds by batch size. Points of a ladder have their own
    weights, with pages and a load time. The SubNets of a SuperNet share weights, which are counted
    for the model and loaded with it.
    """

    name: str
    accuracy: float
    execution_s: Mapping[int, float]
    load_s: float = 0.0
    pages: int = 0
