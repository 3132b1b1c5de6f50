"""
An operating point: one accuracy and one cost at which a model can answer, chosen per batch.

Nothing is imported for it: an executor's process, of which a pod starts several, needs no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_NAME_LETTERS = 63
"""Of an operating point's name."""


@dataclass(frozen=True, slots=True)
class Point:
    """
    As profiled: top-1 accuracy in percent or as a share (alike for all of a model), and seconds by
    batch size. A point of a ladder has weights of its own, with pages and a load time; those of a
    SuperNet's SubNets are shared, are counted for the model, and are there when it is.
    """

    name: str
    accuracy: float
    execution_s: Mapping[int, float]
    load_s: float = 0.0
    pages: int = 0
