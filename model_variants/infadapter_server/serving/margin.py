"""
The return path: from the end of an execution, on the executor's clock, to the answer at the client.

The scheduler promises the end of an execution. The client's clock stops later: hand-over to the
event loop, encoding, sockets. The event loop's part depends on its other work, so it is measured,
and deadlines are shortened by a high quantile of it.
"""

from collections import deque

__all__ = ["Margin"]

LEAST_S = 0.002
"""Seconds for what cannot be measured here: the socket, the network, and the client's wake-up."""

MOST = 0.25

_WINDOW, _RENEW, _QUANTILE = 512, 32, 0.995


class Margin:
    """Measured return times, at most the share MOST of a request's time."""

    def __init__(self) -> None:
        self._lags_s: deque[float] = deque(maxlen=_WINDOW)
        self._fresh, self._measured_s = 0, 0.0

    def learn(self, lag_s: float) -> None:
        self._lags_s.append(lag_s)
        self._fresh += 1
        if self._fresh >= _RENEW:
            self._fresh = 0
            ranked = sorted(self._lags_s)
            self._measured_s = ranked[int(_QUANTILE * (len(ranked) - 1))]

    def of(self, within_s: float) -> float:
        """Return the time to subtract from a request's deadline, s."""
        return min(LEAST_S + self._measured_s, MOST * within_s)
