"""
The load behind a gateway when only some of the serving pods are counted. Pure.

If Prometheus cannot scrape a pod any more, its share of the load is missing from the sum while the
pod keeps serving it. Shares follow the weights, so the other pods tell how much it is. A new pod
that is not scraped yet took its share from the others: there the sum was right before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.load import History, PartialData, Sample


@dataclass(slots=True, kw_only=True)
class Coverage:
    """
    Estimates the load of uncounted pods. `settle_s` is the time until Prometheus has found and
    counted a new pod.
    """

    settle_s: float
    keep_s: float
    _weights: Mapping[str, int] = field(default_factory=dict)
    _since_s: Mapping[str, float] = field(default_factory=dict)  # when each pod got its weight
    _whole_rps: float | None = None  # the last load that all pods reported
    _raised: dict[float, float] = field(default_factory=dict)  # corrected rates, by moment
    _judged_at_s: float = float("-inf")

    def serving(self, weights: Mapping[str, int], now_s: float) -> None:
        """Set the Ready pods that receive traffic."""
        self._weights = dict(weights)
        self._since_s = {pod: self._since_s.get(pod, now_s) for pod in weights}

    def judged(self, history: History, rates: Mapping[str, float]) -> History:
        """
        Return the history with uncounted load added. `rates` are those of the last moment, by pod.
        Raises PartialData.
        """
        last = history.samples[-1]
        rps = self._load_rps(last, rates, max(sample.rps for sample in history.samples))
        if rps > last.rps:
            since = (s for s in reversed(history.samples) if s.at_s > self._judged_at_s)
            recent = (s.at_s for s in since if last.at_s - s.at_s < self.settle_s)
            self._raised |= dict.fromkeys(recent, rps)
        self._judged_at_s = last.at_s
        self._raised = {t: r for t, r in self._raised.items() if t > last.at_s - self.keep_s}
        if not self._raised:
            return history
        return History(tuple(s._replace(rps=self._raised_to(s)) for s in history.samples))

    def _raised_to(self, sample: Sample) -> float:
        return max(sample.rps, self._raised.get(sample.at_s, 0.0))

    def _load_rps(self, last: Sample, rates: Mapping[str, float], highest_rps: float) -> float:
        silent = self._weights.keys() - rates.keys()
        if not rates or not self._weights:  # not yet known to a new replica, or to the loop
            return last.rps
        if not silent:
            self._whole_rps = last.rps
            return last.rps
        settled = {pod for pod, s in self._since_s.items() if last.at_s - s >= self.settle_s}
        most_rps = highest_rps if self._whole_rps is None else self._whole_rps
        scaled_rps = sum(rates.values())
        if silent & settled:
            scaled_rps += self._of_silent_rps(silent & settled, settled - silent, rates)
        if silent - settled:
            scaled_rps = max(scaled_rps, self._whole_rps or 0.0)
        return max(last.rps, min(scaled_rps, most_rps))

    def _of_silent_rps(
        self, silent: set[str], telling: set[str], rates: Mapping[str, float]
    ) -> float:
        told_weight = sum(self._weights[pod] for pod in telling)
        if not told_weight:
            raise PartialData(f"Prometheus counts none of the {len(silent)} pods that serve")
        told_rps = sum(rates[pod] for pod in telling)
        return told_rps * sum(self._weights[pod] for pod in silent) / told_weight
