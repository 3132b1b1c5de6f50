"""
The scheduler of a pod or of many workers: which batch runs next, and which requests are refused.
Pure.
"""

from infadapter_scheduler.actions import Action, Load, Reason, Refuse, Run, Unload
from infadapter_scheduler.deviation import Deviation, exact, lognormal, of_both_sides, resampled
from infadapter_scheduler.emulation import Emulation
from infadapter_scheduler.events import (
    Arrived,
    BulkArrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    KeepLoaded,
    Loaded,
    LoadWanted,
    ModelAdded,
    ModelRemoved,
    PointsAllowed,
    Profiled,
    SpeedChanged,
    Tick,
    UnloadWanted,
)
from infadapter_scheduler.model import Model, with_points
from infadapter_scheduler.points import Choice, Point, PointPolicy, Situation, Timed
from infadapter_scheduler.points.named import DEFAULT_POINT_POLICY, POINT_POLICIES
from infadapter_scheduler.policies import POLICIES
from infadapter_scheduler.policy import Policy
from infadapter_scheduler.residency import PAGE_BYTES
from infadapter_scheduler.scheduler import Scheduler
from infadapter_scheduler.sources import Both, Client, ClosedLoop, Stream
from infadapter_scheduler.virtual import emulate, replay
from infadapter_scheduler.world import Arrival, BrokenRule, Front, Served, Settled, Source, World

__all__ = [
    "DEFAULT_POINT_POLICY",
    "PAGE_BYTES",
    "POINT_POLICIES",
    "POLICIES",
    "Action",
    "Arrival",
    "Arrived",
    "Both",
    "BrokenRule",
    "BulkArrived",
    "Choice",
    "Client",
    "ClosedLoop",
    "Deviation",
    "Emulation",
    "Event",
    "ExecutorJoined",
    "ExecutorLeft",
    "Finished",
    "Front",
    "Gone",
    "KeepLoaded",
    "Load",
    "LoadWanted",
    "Loaded",
    "Model",
    "ModelAdded",
    "ModelRemoved",
    "Point",
    "PointPolicy",
    "PointsAllowed",
    "Policy",
    "Profiled",
    "Reason",
    "Refuse",
    "Run",
    "Scheduler",
    "Served",
    "Settled",
    "Situation",
    "Source",
    "SpeedChanged",
    "Stream",
    "Tick",
    "Timed",
    "Unload",
    "UnloadWanted",
    "World",
    "emulate",
    "exact",
    "lognormal",
    "of_both_sides",
    "replay",
    "resampled",
    "with_points",
]
