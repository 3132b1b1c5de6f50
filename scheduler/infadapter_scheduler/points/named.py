"""Policies of operating points, by the names of the command line."""

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
"""Those that need to be told nothing; one point alone is a matter of what is allowed."""
