"""What runs next in a pod or on many workers, and who is refused: pure, told the time."""

from infadapter_scheduler.actions import Action, Load, Reason, Refuse, Run, Unload
from infadapter_scheduler.events import (
    Arrived,
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
    Profiled,
    SpeedChanged,
    Tick,
    UnloadWanted,
)
from infadapter_scheduler.model import Model
from infadapter_scheduler.policies import POLICIES
from infadapter_scheduler.policy import Policy
from infadapter_scheduler.residency import PAGE_BYTES
from infadapter_scheduler.scheduler import Scheduler
from infadapter_scheduler.virtual import replay
from infadapter_scheduler.world import Arrival, BrokenRule, Served, World

__all__ = [
    "PAGE_BYTES",
    "POLICIES",
    "Action",
    "Arrival",
    "Arrived",
    "BrokenRule",
    "Event",
    "ExecutorJoined",
    "ExecutorLeft",
    "Finished",
    "Gone",
    "KeepLoaded",
    "Load",
    "LoadWanted",
    "Loaded",
    "Model",
    "ModelAdded",
    "ModelRemoved",
    "Policy",
    "Profiled",
    "Reason",
    "Refuse",
    "Run",
    "Scheduler",
    "Served",
    "SpeedChanged",
    "Tick",
    "Unload",
    "UnloadWanted",
    "World",
    "replay",
]
