"""Operating point policies by the names of the command line."""

from collections.abc import Callable
from types import MappingProxyType

from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_scheduler.points.policy import PointPolicy
from infadapter_scheduler.points.rivals import LowestAccuracy, MaxAccuracy, MaxBatch
from infadapter_scheduler.points.slackfit import SlackFit

DEFAULT_POINT_POLICY = "keeping-up"

POINT_POLICIES: MappingProxyType[str, Callable[[], PointPolicy]] = MappingProxyType(
    {
        DEFAULT_POINT_POLICY: KeepingUp,
        "slackfit": SlackFit,
        "max-batch": MaxBatch,
        "max-accuracy": MaxAccuracy,
        "lowest-accuracy": LowestAccuracy,
    }
)
"""Policies without parameters. A single fixed point is configured through the allowed points."""
