"""The part of a trace that is played, and the history that every policy has seen before it."""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.simulate import Workload, flat_history
from infadapter_workload.arrivals import arrival_times, poisson_counts
from infadapter_workload.shaping import sliced
from infadapter_workload.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Seconds `from_s` up to, not including, `to_s`. Raises TraceError if the trace lacks them."""

    trace: Trace
    from_s: int
    to_s: int

    def __post_init__(self) -> None:
        self.played()

    @property
    def seconds(self) -> int:
        return self.to_s - self.from_s

    def played(self) -> Trace:
        return sliced(self.trace, self.from_s, self.to_s)

    def peak_rps(self, percentile: float = 99.0) -> float:
        """Return the rate that all but the busiest seconds stay below."""
        return float(np.percentile(self.played().rates, percentile))

    def workload(self, seed: int) -> Workload:
        """
        Return its arrivals, with the seconds before it as history; without any, ten minutes at the
        mean of its first minute. Raises TraceError for more requests than fit into memory.
        """
        arrivals_s = arrival_times(self.played(), seed)
        first_minute_s = min(60, self.seconds)
        first_minute_rps = float(np.searchsorted(arrivals_s, first_minute_s)) / first_minute_s
        return Workload(
            name=self.trace.name,
            arrivals_s=arrivals_s,
            seconds=self.seconds,
            history_rps=self._history(seed) if self.from_s else flat_history(first_minute_rps),
        )

    def _history(self, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        before = sliced(self.trace, 0, self.from_s)
        return poisson_counts(before, np.random.default_rng([seed, 7]))
