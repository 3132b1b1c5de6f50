"""A model's seconds under a CPU quota: those of a whole core, by the share of one that there is."""

from collections.abc import Mapping
from dataclasses import replace

from infadapter_scheduler import Model

__all__ = ["slowed"]


def slowed(model: Model, share: float) -> Model:
    def longer(execution_s: Mapping[int, float]) -> dict[int, float]:
        return {size: seconds / share for size, seconds in execution_s.items()}

    points = tuple(replace(point, execution_s=longer(point.execution_s)) for point in model.points)
    return replace(model, execution_s=longer(model.execution_s), points=points)
