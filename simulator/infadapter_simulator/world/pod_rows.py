"""The queues of all pods as arrays, one row per pod, for the compiled loops."""

import numpy as np

from infadapter_simulator.world.queues import MOST_WAITING, Floats, Ints
from infadapter_simulator.world.servers import with_rows


class PodRows:
    """Rows are zero until a pod uses them."""

    def __init__(self, most_servers: int) -> None:
        self.free_s: Floats = np.zeros((0, most_servers))  # when each server of each pod is free
        self.recent: Floats = np.zeros((0, MOST_WAITING))  # starts of each pod's last requests
        self.service_s: Floats = np.zeros(0)
        self.weights: Ints = np.zeros(0, dtype=np.int64)
        self.credits: Ints = np.zeros(0, dtype=np.int64)
        self.servers: Ints = np.zeros(0, dtype=np.int64)
        self.limits: Ints = np.zeros(0, dtype=np.int64)
        self.counts: Ints = np.zeros(0, dtype=np.int64)
        self.refusals: Ints = np.zeros(0, dtype=np.int64)

    def make_room(self, slots: int) -> None:
        """Extend the arrays to this many pods."""
        self.free_s = with_rows(self.free_s, slots)
        self.recent = with_rows(self.recent, slots)
        self.service_s = with_rows(self.service_s, slots)
        self.weights = with_rows(self.weights, slots)
        self.credits = with_rows(self.credits, slots)
        self.servers = with_rows(self.servers, slots)
        self.limits = with_rows(self.limits, slots)
        self.counts = with_rows(self.counts, slots)
        self.refusals = with_rows(self.refusals, slots)
