"""The load as scraped: arrivals by second, and the history before the run."""

from collections.abc import Callable

import numpy as np

from infadapter_simulator.world.queues import Floats

Scrape = Callable[[float, float], tuple[float, Floats]]
"""The signature of `Scraped.until`."""


class Scraped:
    def __init__(self, history_rps: Floats, arrivals_s: Floats, seconds: int) -> None:
        live = np.histogram(arrivals_s, bins=np.arange(seconds + 1))[0] if seconds else np.empty(0)
        self._rates = np.concatenate([history_rps, live.astype(np.float64)])
        self._past_s = len(history_rps)

    def until(self, known_s: float, window_s: float) -> tuple[float, Floats]:
        """
        Return the end of the last whole second before `known_s`, and the rates up to it, at most
        `window_s` of them.
        """
        end_s = int(np.floor(known_s + 1e-9))
        last = self._past_s + end_s
        return float(end_s), self._rates[int(max(0, last - window_s)) : last]
