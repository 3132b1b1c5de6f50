"""An open-loop load generator that is late by tens of microseconds, and says by how much.

Bounded in time by its schedule and in rate by one core; http:// only. It needs no torch.
"""

from infadapter_server.loadgen.arrivals import Array, constant_rate, given_count, piecewise_rate
from infadapter_server.loadgen.client import make_timely, replay, run
from infadapter_server.loadgen.closed_loop import flood
from infadapter_server.loadgen.outcomes import Outcome, Summary, percentile, summarise

__all__ = [
    "Array",
    "Outcome",
    "Summary",
    "constant_rate",
    "flood",
    "given_count",
    "make_timely",
    "percentile",
    "piecewise_rate",
    "replay",
    "run",
    "summarise",
]
