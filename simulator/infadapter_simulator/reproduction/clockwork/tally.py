"""Aggregated outcomes of many arrivals, by tenant and time, in constant memory."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from infadapter_scheduler import Arrival, Served

RESOLUTION_S = 1e-4
"""Resolution of latencies, s."""


@dataclass(slots=True)
class Counts:
    """Outcomes of some arrivals, by time of arrival."""

    arrivals: int = 0
    on_time: int = 0
    late: int = 0
    refused: int = 0
    cancelled: int = 0
    cold: int = 0
    batches: float = 0.0
    latencies: Counter[int] = field(default_factory=Counter)  # of the answered
    longest_s: float = 0.0
    oldest_refusal_s: float = 0.0

    @property
    def share(self) -> float:
        """The share on time, of all arrivals."""
        return self.on_time / self.arrivals if self.arrivals else float("nan")

    @property
    def answered(self) -> int:
        return self.on_time + self.late

    @property
    def mean_batch(self) -> float:
        return self.answered / self.batches if self.batches else float("nan")

    def latency_s(self, share: float) -> float:
        """Return the quantile of the latency of answers, s; NaN without any."""
        left = share * self.answered
        for at in sorted(self.latencies):
            left -= self.latencies[at]
            if left <= 0:
                return min(self.longest_s, (at + 1) * RESOLUTION_S)
        return float("nan")

    def add(self, other: "Counts") -> None:
        for name in ("arrivals", "on_time", "late", "refused", "cancelled", "cold", "batches"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latencies.update(other.latencies)
        self.longest_s = max(self.longest_s, other.longest_s)
        self.oldest_refusal_s = max(self.oldest_refusal_s, other.oldest_refusal_s)


def all_one(arrival: Arrival) -> str:
    return ""


class Tally:
    """Counts by tenant and by the time bin of the arrival."""

    def __init__(self, bin_s: float, tenant: Callable[[Arrival], str] = all_one) -> None:
        self.bin_s, self._tenant = bin_s, tenant
        self.bins: defaultdict[tuple[str, int], Counts] = defaultdict(Counts)

    def settled(self, arrival: Arrival, fate: Served, known_s: float) -> None:
        counts = self.bins[self._tenant(arrival), int(arrival.arrival_s / self.bin_s)]
        counts.arrivals += 1
        latency_s = known_s - arrival.arrival_s
        if fate.outcome in ("refused", "cancelled"):
            self._unserved(counts, fate, latency_s)
            return
        if fate.outcome == "on_time":
            counts.on_time += 1
        else:
            counts.late += 1
        counts.cold += fate.cold
        counts.batches += 1 / fate.batch
        counts.latencies[int(latency_s / RESOLUTION_S)] += 1
        if latency_s > counts.longest_s:
            counts.longest_s = latency_s

    def _unserved(self, counts: Counts, fate: Served, age_s: float) -> None:
        if fate.outcome == "refused":
            counts.refused += 1
            counts.oldest_refusal_s = max(counts.oldest_refusal_s, age_s)
        else:
            counts.cancelled += 1

    def of(self, tenant: str = "", at: range | None = None) -> Counts:
        """Return the counts of a tenant, or of some bins."""
        total = Counts()
        for (name, number), counts in self.bins.items():
            if name == tenant and (at is None or number in at):
                total.add(counts)
        return total

    def numbers(self, tenant: str = "") -> list[int]:
        return sorted(number for name, number in self.bins if name == tenant)
