"""Execution times under a CPU quota: those of a whole core, divided by the share that is left."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from infadapter_scheduler import Model

__all__ = ["FULL_SPEED", "Speed", "slowed"]


class Speed(NamedTuple):
    """
    The share of a core that the quota leaves to executions, and the additional time per request for
    work besides them.
    """

    share: float
    each_s: float = 0.0


FULL_SPEED = Speed(1.0)


def slowed(model: Model, speed: Speed) -> Model:
    def longer(execution_s: Mapping[int, float]) -> dict[int, float]:
        return {
            size: seconds / speed.share + size * speed.each_s
            for size, seconds in execution_s.items()
        }

    points = tuple(replace(point, execution_s=longer(point.execution_s)) for point in model.points)
    return replace(model, execution_s=longer(model.execution_s), points=points)
