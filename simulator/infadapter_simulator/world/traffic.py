"""The requests of a run and the queues they stand in: arrays, one row a request or a pod."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.mixed import serve_points
from infadapter_simulator.world.oldest_open import OldestOpen
from infadapter_simulator.world.pod_rows import PodRows
from infadapter_simulator.world.points import begin, give, grown, no_points
from infadapter_simulator.world.queues import (
    DEADLINE,
    FAILED,
    LATE,
    MOST_WAITING,
    ON_TIME,
    REFUSED,
    Floats,
    Ints,
    rearrange,
    serve,
)

CLIENT_PATIENCE_S = 30.0
"""After so long without an answer a client has gone (the paper's dispatcher waits as long)."""

NOT_SERVED = -1


class Traffic:
    """
    Requests in order of arrival, and the pods' queues, by pod number (`slot`).

    What is known of a request is final once it has started; until then a resize may change it.
    """

    def __init__(self, arrivals_s: Floats, scenario: Scenario, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        count = len(arrivals_s)
        sigma = scenario.service_sigma
        self.arrivals_s = np.ascontiguousarray(arrivals_s, dtype=np.float64)
        # The mean of the noise is one, so that it does not change how fast a pod is.
        self._noise = np.exp(rng.normal(-sigma * sigma / 2, sigma, count)) if sigma else np.empty(0)
        self._draws = rng.random(count) if scenario.weighs_at_random else np.empty(0)
        self.slot_of = np.full(count, NOT_SERVED, dtype=np.int64)
        self.start_s = np.full(count, np.inf)
        self.finish_s = np.full(count, np.inf)
        self.lost = np.zeros(count, dtype=np.bool_)  # in a pod that failed
        self.passed = 0  # requests that have arrived
        self._slo_s = scenario.slo_s
        widest = max((speed.servers for speed in scenario.speeds.values()), default=1)
        self._pods = PodRows(widest)
        most_points = max((len(speed.points) for speed in scenario.speeds.values()), default=0)
        self._points = no_points(0, count, most_points) if most_points else None
        self.slots = 0  # pods so far
        self._oldest = OldestOpen()
        self._make_room(64)
        self._order: Ints = np.empty(0, dtype=np.int64)

    def _make_room(self, slots: int) -> None:
        self._pods.make_room(slots)
        if self._points is not None:
            self._points = grown(self._points, slots)

    def add(self, speed: PodSpeed, limit: int | None, now_s: float) -> int:
        """A new, empty queue; `limit` None refuses by the deadline. Returns its slot."""
        slot = self.slots
        self.slots += 1
        if self.slots > len(self._pods.weights):
            self._make_room(2 * len(self._pods.weights))
        self._pods.free_s[slot] = now_s
        if self._points is not None:
            self._points.since_s[slot] = now_s
        self._set(slot, speed, limit)
        return slot

    def resize(self, slot: int, speed: PodSpeed, limit: int | None, now_s: float) -> None:
        self._set(slot, speed, limit)
        rearrange(
            self.arrivals_s,
            self._noise,
            self._oldest_open(now_s),
            self.passed,
            slot,
            now_s,
            self._pods.free_s,
            self._pods.servers,
            self._pods.service_s,
            self._pods.counts,
            self._pods.recent,
            self.slot_of,
            self.start_s,
            self.finish_s,
        )
        self._begin(slot, now_s)

    def fail(self, slot: int, now_s: float) -> None:
        """All that the pod has not finished is lost."""
        own = slice(self._oldest_open(now_s), self.passed)
        unfinished = (self.slot_of[own] == slot) & (self.finish_s[own] > now_s)
        self.lost[own] |= unfinished
        self.start_s[own][unfinished] = np.minimum(self.start_s[own][unfinished], now_s)
        self.finish_s[own][unfinished] = now_s
        self._pods.free_s[slot] = now_s
        self._pods.counts[slot] = 0
        if self._points is not None:
            self._points.waiting[slot] = 0

    def route(self, weights: Mapping[int, int]) -> None:
        """By slot; slots that are not named get nothing."""
        self._pods.weights[: self.slots] = 0
        for slot, weight in weights.items():
            self._pods.weights[slot] = weight
        self._pods.credits[: self.slots] = 0
        named = sorted(slot for slot, weight in weights.items() if weight > 0)
        self._order = np.array(named, dtype=np.int64)

    def advance(self, until_s: float) -> None:
        """Let all requests arrive that come before then."""
        last = int(np.searchsorted(self.arrivals_s, until_s, side="left"))
        if last > self.passed:
            self._serve(last)
            self.passed = last
        self._begin_all(until_s)

    def _serve(self, last: int) -> None:
        asked = (
            self.arrivals_s,
            self._noise,
            self._draws,
            self.passed,
            last,
            self._order,
            self._pods.weights,
            self._pods.credits,
            self._pods.free_s,
            self._pods.servers,
            self._pods.service_s,
            self._pods.limits,
            self._pods.counts,
            self._pods.refusals,
            self._pods.recent,
            self._slo_s,
            self.slot_of,
            self.start_s,
            self.finish_s,
        )
        if self._points is None:
            serve(*asked)
        else:
            serve_points(*asked, self._points)

    def _begin_all(self, until_s: float) -> None:
        """What waits in pods with operating points, as far as it gets a server until then."""
        if self._points is not None:
            for slot in np.flatnonzero(self._points.waiting).tolist():
                self._begin(slot, until_s)

    def _begin(self, slot: int, until_s: float) -> None:
        if self._points is not None:
            begin(
                self._points,
                slot,
                until_s,
                self._pods.free_s[slot, : self._pods.servers[slot]],
                self.arrivals_s,
                self._noise,
                self._slo_s,
                self.start_s,
                self.finish_s,
            )

    def counts(self, slot: int) -> tuple[float, float]:
        """Requests that the pod was sent so far, and those of them that it refused."""
        refused = int(self._pods.refusals[slot])
        return int(self._pods.counts[slot]) + refused, refused

    def late(self, from_s: float, to_s: float) -> Ints:
        """By slot, requests that were answered in that time, and later than within the SLO."""
        rows = self.rows(from_s, to_s)
        done_s = self.finish_s[rows]
        answered = (done_s > from_s) & (done_s <= to_s) & ~self.lost[rows]
        late = answered & (done_s - self.arrivals_s[rows] > self._slo_s + 1e-9)
        return np.bincount(self.slot_of[rows][late], minlength=self.slots)

    def accuracy_told(self, from_s: float, to_s: float) -> Floats:
        """By slot, the mean of the points that answered in that time; NaN where none did."""
        if self._points is None:
            return np.full(self.slots, np.nan)
        rows = self.rows(from_s, to_s)
        done_s, accuracy = self.finish_s[rows], self._points.answered[rows]
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
        return float(self._pods.free_s[slot, : self._pods.servers[slot]].max())

    def accuracies(self, rows: NDArray[np.bool_], of_slots: Floats) -> Floats:
        """Of these requests, which pods took: that of the point that answered, or of the pod."""
        found = of_slots[self.slot_of[rows]]
        if self._points is None:
            return found
        answered = self._points.answered[rows]
        return np.where(np.isnan(answered), found, answered)

    def rows(self, from_s: float, to_s: float) -> slice:
        """Requests that may have been in a pod then."""
        high = np.searchsorted(self.arrivals_s[: self.passed], to_s, side="left")
        return slice(self._oldest_open(from_s), int(high))

    def outcomes(self) -> Ints:
        """ON_TIME, LATE, REFUSED or FAILED, by request. All that waits is answered."""
        self._begin_all(np.inf)
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

    def _set(self, slot: int, speed: PodSpeed, limit: int | None) -> None:
        self._pods.servers[slot] = speed.servers
        self._pods.service_s[slot] = speed.service_s
        self._pods.limits[slot] = DEADLINE if limit is None else min(limit, MOST_WAITING)
        if self._points is not None:
            give(self._points, slot, speed.points)

    def _oldest_open(self, at_s: float) -> int:
        return self._oldest.at(at_s, self.slot_of, self.finish_s, self.passed)
