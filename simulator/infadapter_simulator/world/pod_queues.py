"""The queues of all pods, by pod number (`slot`), and how requests pass through them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.mixed import serve_points
from infadapter_simulator.world.pod_rows import PodRows
from infadapter_simulator.world.points import begin, give, grown, no_points
from infadapter_simulator.world.queues import DEADLINE, MOST_WAITING, rearrange, serve
from infadapter_simulator.world.servers import Floats, Ints


class Requests(NamedTuple):
    """Requests in order of arrival, with their pod, start and end once known."""

    arrivals_s: Floats
    noise: Floats  # what a service time is multiplied by; empty: nothing
    draws: Floats  # to choose a pod at random; empty: smooth round robin
    slot_of: Ints
    start_s: Floats
    finish_s: Floats


class PodQueues:
    """The queues. Pods may have operating points, which are chosen when a request starts."""

    def __init__(self, requests: Requests, scenario: Scenario) -> None:
        self._requests, self._slo_s = requests, scenario.slo_s
        widest = max((speed.servers for speed in scenario.speeds.values()), default=1)
        self._pods = PodRows(widest)
        most_points = max((len(speed.points) for speed in scenario.speeds.values()), default=0)
        count = len(requests.arrivals_s)
        self._points = no_points(0, count, most_points) if most_points else None
        self._order: Ints = np.empty(0, dtype=np.int64)
        self.slots = 0  # pods so far
        self._make_room(64)

    @property
    def answered(self) -> Floats | None:
        """The accuracy of the answering point by request; None if no pod has points."""
        return None if self._points is None else self._points.answered

    def add(self, speed: PodSpeed, limit: int | None, now_s: float) -> int:
        """Add an empty queue and return its slot."""
        slot = self.slots
        self.slots += 1
        if self.slots > len(self._pods.weights):
            self._make_room(2 * len(self._pods.weights))
        self._pods.free_s[slot] = now_s
        if self._points is not None:
            self._points.since_s[slot] = now_s
        self._set(slot, speed, limit)
        return slot

    def resize(
        self, slot: int, speed: PodSpeed, limit: int | None, rows: slice, now_s: float
    ) -> None:
        """Change a pod's speed; `rows` are the requests that may be in it."""
        self._set(slot, speed, limit)
        requests, pods = self._requests, self._pods
        rearrange(
            requests.noise,
            rows.start,
            rows.stop,
            slot,
            now_s,
            pods.free_s,
            pods.servers,
            pods.service_s,
            pods.counts,
            pods.recent,
            requests.slot_of,
            requests.start_s,
            requests.finish_s,
        )
        self._begin(slot, now_s)

    def empty(self, slot: int, now_s: float) -> None:
        self._pods.free_s[slot] = now_s
        self._pods.counts[slot] = 0
        if self._points is not None:
            self._points.waiting[slot] = 0

    def route(self, weights: Mapping[int, int]) -> None:
        """Set the weights; slots that are not named get nothing."""
        self._pods.weights[: self.slots] = 0
        for slot, weight in weights.items():
            self._pods.weights[slot] = weight
        self._pods.credits[: self.slots] = 0
        named = sorted(slot for slot, weight in weights.items() if weight > 0)
        self._order = np.array(named, dtype=np.int64)

    def serve(self, rows: slice) -> None:
        """Let these requests arrive."""
        requests, pods = self._requests, self._pods
        asked = (
            requests.arrivals_s,
            requests.noise,
            requests.draws,
            rows.start,
            rows.stop,
            self._order,
            pods.weights,
            pods.credits,
            pods.free_s,
            pods.servers,
            pods.service_s,
            pods.limits,
            pods.counts,
            pods.refusals,
            pods.recent,
            self._slo_s,
            requests.slot_of,
            requests.start_s,
            requests.finish_s,
        )
        if self._points is None:
            serve(*asked)
        else:
            serve_points(*asked, self._points)

    def begin_all(self, until_s: float) -> None:
        """
        Start the waiting requests of pods with operating points, as far as servers are free until
        then.
        """
        if self._points is not None:
            for slot in np.flatnonzero(self._points.waiting).tolist():
                self._begin(slot, until_s)

    def counts(self, slot: int) -> tuple[int, int]:
        """Return the requests sent to the pod so far, and those it refused."""
        refused = int(self._pods.refusals[slot])
        return int(self._pods.counts[slot]) + refused, refused

    def busy_until_s(self, slot: int) -> float:
        return float(self._pods.free_s[slot, : self._pods.servers[slot]].max())

    def _begin(self, slot: int, until_s: float) -> None:
        if self._points is not None:
            requests = self._requests
            begin(
                self._points,
                slot,
                until_s,
                self._pods.free_s[slot, : self._pods.servers[slot]],
                requests.arrivals_s,
                requests.noise,
                self._slo_s,
                requests.start_s,
                requests.finish_s,
            )

    def _set(self, slot: int, speed: PodSpeed, limit: int | None) -> None:
        self._pods.servers[slot] = speed.servers
        self._pods.service_s[slot] = speed.service_s
        self._pods.limits[slot] = DEADLINE if limit is None else min(limit, MOST_WAITING)
        if self._points is not None:
            give(self._points, slot, speed.points)

    def _make_room(self, slots: int) -> None:
        self._pods.make_room(slots)
        if self._points is not None:
            self._points = grown(self._points, slots)
