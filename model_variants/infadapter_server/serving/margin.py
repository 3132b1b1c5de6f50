"""
The way back: from the end of an execution, on the executor's clock, to the answer at its client.

The kernel promises the end of an execution; a client's clock stops later, by the hand-over to the
event loop, the encoding and the kernel's sockets. What the loop needs depends on what else it does,
so it is measured: deadlines are shortened by a high quantile of it.
"""

from collections import deque

__all__ = ["Margin"]

LEAST_S = 0.002
"""Of that which can't be seen from here: the socket, the network, and the client's own wake-up."""

MOST = 0.25

_WINDOW, _RENEW, _QUANTILE = 512, 32, 0.995


class Margin:
    """Seconds, of the last answers; never more than MOST of a request's time."""

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
        """What to keep free of a request's time."""
        return min(LEAST_S + self._measured_s, MOST * within_s)
