"""
Shutdown, from the first signal to the end: how long the server keeps answering, and what ends that.

Routers that have not learnt of it yet keep sending. So it ends when sending has stopped, and at the
latest after its time limit: a pod holds its CPU until it is gone.
"""

import asyncio
import logging

import uvicorn

from infadapter_server.serving.inference import Inference
from infadapter_server.serving.silence import Arrivals

__all__ = ["Stop", "end_of_drain_s"]

LEAST_S = 1.0
"""Seconds for a router that is told at the same time as the server, however silent it is."""

_log = logging.getLogger(__name__)


def end_of_drain_s(told_s: float, arrivals: Arrivals, drain_s: float) -> float:
    """
    Return when the drain ends. Silence before the signal counts as well: the pod's weights were
    removed first, or its preStop hook has delayed the signal.
    """
    return min(told_s + drain_s, max(told_s + LEAST_S, arrivals.over_s()))


class Stop:
    """The shutdown from the first signal to the end."""

    def __init__(self, inference: Inference, server: uvicorn.Server, drain_s: float) -> None:
        self._inference = inference
        self._server = server
        self._drain_s = drain_s

    def begin(self) -> None:
        """Start draining; stop at once if no client has connected yet, or on the second signal."""
        if not self._inference.ready:
            self.finish()
            return
        self._inference.draining = True
        _log.info("draining for %g s at most; a second signal ends this", self._drain_s)
        self._go_on(self._inference.clock())

    def _go_on(self, told_s: float) -> None:
        """Keep answering until arrivals show that no more requests come."""
        inference = self._inference
        left_s = end_of_drain_s(told_s, inference.arrivals, self._drain_s) - inference.clock()
        if left_s <= 0:
            self.finish()
        else:
            asyncio.get_running_loop().call_later(left_s, self._go_on, told_s)

    def finish(self) -> None:
        """Take no more requests, and end when those in flight are answered."""
        self._inference.closed = True
        self._server.should_exit = True
