"""An open-loop load generator that is late by tens of microseconds, and says by how much.

Bounded in time by its schedule and in rate by one core; http:// only. It needs no torch.
"""

from infadapter_server.loadgen.client import make_timely, replay, run
from infadapter_server.loadgen.closed_loop import flood

__all__ = ["flood", "make_timely", "replay", "run"]
