"""
From the first signal to the end of the server: how long it goes on answering, and what ends that.

Routers that are yet to learn of it send on, and those that have learned don't. So it ends with the
silence that shows it, and no later than its time: a pod holds its CPU until it has gone.
"""

import asyncio
import logging

import uvicorn

from infadapter_server.serving.inference import Inference
from infadapter_server.serving.silence import Arrivals

__all__ = ["Stop", "end_of_drain_s"]

LEAST_S = 1.0
"""A router that is told at the same time as the server is given so long, however silent it is."""

_log = logging.getLogger(__name__)


def end_of_drain_s(told_s: float, arrivals: Arrivals, drain_s: float) -> float:
    """
    Silence from before it was told to stop counts: its weights were taken first, or a hook of its
    pod has kept the signal back.
    """
    return min(told_s + drain_s, max(told_s + LEAST_S, arrivals.over_s()))


class Stop:
    """What happens from the first signal to the end."""

    def __init__(self, inference: Inference, server: uvicorn.Server, drain_s: float) -> None:
        self._inference = inference
        self._server = server
        self._drain_s = drain_s

    def begin(self) -> None:
        """Drain; at once if nobody uses the server yet or if this is the second signal."""
        if not self._inference.ready:
            self.finish()
            return
        self._inference.draining = True
        _log.info("draining for %g s at most; a second signal ends this", self._drain_s)
        self._go_on(self._inference.clock())

    def _go_on(self, told_s: float) -> None:
        """Until what has come meanwhile asks for no more."""
        inference = self._inference
        left_s = end_of_drain_s(told_s, inference.arrivals, self._drain_s) - inference.clock()
        if left_s <= 0:
            self.finish()
        else:
            asyncio.get_running_loop().call_later(left_s, self._go_on, told_s)

    def finish(self) -> None:
        """Take no more requests and end when those in flight are answered."""
        self._inference.closed = True
        self._server.should_exit = True
