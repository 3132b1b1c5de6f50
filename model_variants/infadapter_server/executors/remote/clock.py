"""Another machine's monotonic clock, as ours: the offset from the exchange with the least delay.

An exchange says that their clock showed `theirs` somewhere between `sent` and `received` of ours.
With the middle as the estimate, the error is at most half the round trip; so of the last ones the
fastest counts. Old ones are forgotten: clocks drift by some millionths.
"""

from collections import deque

EXCHANGES = 32


class ClockOffset:
    def __init__(self, exchanges: int = EXCHANGES) -> None:
        self._exchanges: deque[tuple[float, float]] = deque(maxlen=exchanges)
        self._best = (float("inf"), 0.0)

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, sent_s: float, theirs_s: float, received_s: float) -> None:
        self._exchanges.append((received_s - sent_s, theirs_s - (sent_s + received_s) / 2))
        self._best = min(self._exchanges)

    @property
    def round_trip_s(self) -> float:
        return self._best[0]

    def theirs(self, ours_s: float) -> float:
        return ours_s + self._best[1]

    def ours(self, theirs_s: float) -> float:
        return theirs_s - self._best[1]
