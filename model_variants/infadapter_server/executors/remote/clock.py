"""
Convert another machine's monotonic clock, by the offset from the exchange with the least delay.

An exchange shows that their clock read `theirs` somewhere between our `sent` and `received`. With
the middle as the estimate the error is at most half the round trip, so the fastest recent exchange
counts. Old ones are dropped, since clocks drift by some millionths.
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
