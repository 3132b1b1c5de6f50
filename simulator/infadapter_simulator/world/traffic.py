"""The requests of a run, one row each, and their outcomes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.oldest_open import OldestOpen
from infadapter_simulator.world.pod_queues import PodQueues, Requests
from infadapter_simulator.world.queues import FAILED, LATE, ON_TIME, REFUSED, Floats, Ints

CLIENT_PATIENCE_S = 30.0
"""Seconds after which a client gives up (as in the paper's dispatcher)."""

NOT_SERVED = -1


class Traffic:
    """
    Requests in order of arrival, and the pods' queues by pod number (`slot`). A request's times are
    final once it has started; until then a resize may change them.
    """

    def __init__(self, arrivals_s: Floats, scenario: Scenario, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        count = len(arrivals_s)
        sigma = scenario.service_sigma
        self.arrivals_s = np.ascontiguousarray(arrivals_s, dtype=np.float64)
        # The mean of the noise is one, so that it does not change how fast a pod is.
        noise = np.exp(rng.normal(-sigma * sigma / 2, sigma, count)) if sigma else np.empty(0)
        draws = rng.random(count) if scenario.weighs_at_random else np.empty(0)
        self.slot_of = np.full(count, NOT_SERVED, dtype=np.int64)
        self.start_s = np.full(count, np.inf)
        self.finish_s = np.full(count, np.inf)
        self.lost = np.zeros(count, dtype=np.bool_)  # in a pod that failed
        self.passed = 0  # requests that have arrived
        self._slo_s = scenario.slo_s
        self._oldest = OldestOpen()
        requests = Requests(
            self.arrivals_s, noise, draws, self.slot_of, self.start_s, self.finish_s
        )
        self._queues = PodQueues(requests, scenario)

    @property
    def slots(self) -> int:
        """Number of pods so far."""
        return self._queues.slots

    def add(self, speed: PodSpeed, limit: int | None, now_s: float) -> int:
        """Add an empty queue and return its slot; `limit=None` refuses by the deadline."""
        return self._queues.add(speed, limit, now_s)

    def resize(self, slot: int, speed: PodSpeed, limit: int | None, now_s: float) -> None:
        own = slice(self._oldest_open(now_s), self.passed)
        self._queues.resize(slot, speed, limit, own, now_s)

    def fail(self, slot: int, now_s: float) -> None:
        """Lose everything that the pod has not finished."""
        own = slice(self._oldest_open(now_s), self.passed)
        unfinished = (self.slot_of[own] == slot) & (self.finish_s[own] > now_s)
        self.lost[own] |= unfinished
        self.start_s[own][unfinished] = np.minimum(self.start_s[own][unfinished], now_s)
        self.finish_s[own][unfinished] = now_s
        self._queues.empty(slot, now_s)

    def route(self, weights: Mapping[int, int]) -> None:
        """Set the weights by slot; slots that are not named get nothing."""
        self._queues.route(weights)

    def advance(self, until_s: float) -> None:
        """Let all requests arrive that come before `until_s`."""
        last = int(np.searchsorted(self.arrivals_s, until_s, side="left"))
        if last > self.passed:
            self._queues.serve(slice(self.passed, last))
            self.passed = last
        self._queues.begin_all(until_s)

    def counts(self, slot: int) -> tuple[float, float]:
        """Return the requests sent to the pod so far, and those it refused."""
        return self._queues.counts(slot)

    def late(self, from_s: float, to_s: float) -> Ints:
        """By slot, requests that were answered in that time, and later than within the SLO."""
        rows = self.rows(from_s, to_s)
        done_s = self.finish_s[rows]
        answered = (done_s > from_s) & (done_s <= to_s) & ~self.lost[rows]
        late = answered & (done_s - self.arrivals_s[rows] > self._slo_s + 1e-9)
        return np.bincount(self.slot_of[rows][late], minlength=self.slots)

    def accuracy_told(self, from_s: float, to_s: float) -> Floats:
        """By slot, the mean of the points that answered in that time; NaN where none did."""
        answered = self._queues.answered
        if answered is None:
            return np.full(self.slots, np.nan)
        rows = self.rows(from_s, to_s)
        done_s, accuracy = self.finish_s[rows], answered[rows]
        told = (done_s > from_s) & (done_s <= to_s) & ~self.lost[rows] & ~np.isnan(accuracy)
        slots = self.slot_of[rows][told]
        sums = np.bincount(slots, accuracy[told], minlength=self.slots)
        with np.errstate(invalid="ignore"):
            return np.divide(sums, np.bincount(slots, minlength=self.slots))

    def busy_until_s(self, slot: int) -> float:
        """
        When the last request that the pod has taken so far ends; where some wait for a server,
        when it has one.
        """
        return self._queues.busy_until_s(slot)

    def accuracies(self, rows: NDArray[np.bool_], of_slots: Floats) -> Floats:
        """Of these requests, which pods took: that of the point that answered, or of the pod."""
        found = of_slots[self.slot_of[rows]]
        if self._queues.answered is None:
            return found
        answered = self._queues.answered[rows]
        return np.where(np.isnan(answered), found, answered)

    def rows(self, from_s: float, to_s: float) -> slice:
        """Requests that may have been in a pod then."""
        high = np.searchsorted(self.arrivals_s[: self.passed], to_s, side="left")
        return slice(self._oldest_open(from_s), int(high))

    def outcomes(self) -> Ints:
        """ON_TIME, LATE, REFUSED or FAILED, by request. All that waits is answered."""
        self._queues.begin_all(np.inf)
        outcome = self._outcomes_of(slice(None))
        left = self.finish_s - self.arrivals_s > CLIENT_PATIENCE_S
        outcome[left & (outcome != REFUSED)] = FAILED
        return outcome

    def fates(self, from_s: float, to_s: float) -> tuple[float, float, float, float]:
        """Of the requests of that time: in time, late, refused and failed."""
        rows = slice(*np.searchsorted(self.arrivals_s, (from_s, to_s), side="left"))
        counts = np.bincount(self._outcomes_of(rows), minlength=FAILED + 1)
        in_time, late, refused, failed = map(float, counts)
        return in_time, late, refused, failed

    def _outcomes_of(self, rows: slice) -> Ints:
        """While every client still waits for an answer, however late."""
        latency_s = self.finish_s[rows] - self.arrivals_s[rows]
        outcome = np.where(latency_s <= self._slo_s + 1e-9, ON_TIME, LATE)
        outcome[self.lost[rows]] = FAILED
        outcome[self.slot_of[rows] == NOT_SERVED] = REFUSED
        return outcome

    def _oldest_open(self, at_s: float) -> int:
        return self._oldest.at(at_s, self.slot_of, self.finish_s, self.passed)
