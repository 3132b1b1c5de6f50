"""
The Knative Pod Autoscaler's arithmetic, without scale to zero (Knative Serving at 98e5ef90).

pkg/autoscaler/aggregation/bucketing.go (the windows), pkg/autoscaler/scaling/autoscaler.go (the
decision), pkg/autoscaler/metrics/sample_size.go (which pods are scraped).
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

STABLE_S = 60
PANIC_S = 6  # 10 % of it
PANIC_RATIO = 2.0
UP_RATE = 1000.0  # max-scale-up-rate
DOWN_RATE = 2.0  # max-scale-down-rate
TICK_S = 2.0
SCRAPE_S = 1.0
REPORT_S = 1.0  # period of a queue-proxy's report, s
QUEUE_DEPTH = (
    10  # multiple of containerConcurrency that a queue-proxy queues; further requests get 503
)


@dataclass(slots=True)
class Window:
    """Buckets of one second. Missing data at its end is not zero, gaps before it are."""

    seconds: int
    buckets: deque[tuple[int, float]] = field(default_factory=deque)
    first: int | None = None
    last: int = 0

    def record(self, second: int, value: float) -> None:
        if self.first is None or second - self.last >= self.seconds:
            self.buckets.clear()
            self.first = self.last = second
        if self.last - self.seconds >= second:
            return
        self.buckets.append((second, value))
        self.first, self.last = min(self.first, second), max(self.last, second)
        while self.buckets[0][0] <= self.last - self.seconds:
            self.buckets.popleft()

    def average(self, second: int) -> float:
        silent = max(second - self.last, 0)
        if self.first is None or silent >= self.seconds:
            return 0.0
        count = min(self.last - self.first + 1, self.seconds - silent)
        total = sum(value for at, value in self.buckets if at > second - self.seconds)
        return round(total / count, 6)


@dataclass(slots=True)
class Decider:
    """The number of pods from the concurrency of both windows; it starts outside panic mode."""

    target: float  # requests per pod, including the target utilisation
    stable: Window = field(default_factory=lambda: Window(STABLE_S))
    panic: Window = field(default_factory=lambda: Window(PANIC_S))
    panic_since_s: float | None = None
    ratchet: int = 0

    def record(self, at_s: float, concurrency: float) -> None:
        for window in (self.stable, self.panic):
            window.record(math.floor(at_s), concurrency)

    def wanted(self, now_s: float, ready: int) -> int | None:
        """Return the number of pods; None if nothing is known, and the last decision is kept."""
        second = math.floor(now_s)
        if self.stable.first is None or second - self.stable.last > STABLE_S:
            return None
        pods = max(1, ready)
        by_panic = math.ceil(self.panic.average(second) / self.target)
        steady = _clamped(math.ceil(self.stable.average(second) / self.target), pods)
        self._update_panic(now_s, is_hot=by_panic / pods >= PANIC_RATIO)
        if self.panic_since_s is None:
            return steady
        self.ratchet = max(self.ratchet, steady, _clamped(by_panic, pods))
        return self.ratchet

    def _update_panic(self, now_s: float, *, is_hot: bool) -> None:
        if is_hot:
            self.panic_since_s = now_s
        elif self.panic_since_s is not None and self.panic_since_s + STABLE_S < now_s:
            self.panic_since_s = None
            self.ratchet = 0


def target_concurrency(container_concurrency: int, utilisation: float) -> float:
    return max(0.01, container_concurrency * utilisation)


def scraped_pods(pods: int) -> int:
    """Return how many Ready pods are scraped."""
    return pods if pods <= 3 else math.ceil(15.3664 * pods / (pods + 14.3664))


def old_first(ready_since_s: Iterable[tuple[int, float]], at_s: float) -> list[int]:
    """Return the pods (number, Ready since) in order, with young ones last."""
    pods = list(ready_since_s)
    old = [pod for pod, since_s in pods if at_s - since_s >= STABLE_S]
    return old + [pod for pod, since_s in pods if at_s - since_s < STABLE_S]


def _clamped(pods: int, ready: int) -> int:
    return min(max(pods, math.floor(ready / DOWN_RATE)), math.ceil(UP_RATE * ready))
