"""The router: weights sent, weights in force, and the choice of pods."""

from collections.abc import Mapping

from infadapter_simulator.world.events import EventKind, Events
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.traffic import Traffic


class Router:
    """The router. It skips pods that are not Ready without forgetting them."""

    def __init__(self, traffic: Traffic, events: Events, lag_s: float) -> None:
        self._traffic, self._events, self._lag_s = traffic, events, lag_s
        self.balances_evenly = False  # all Ready pods get the same, as behind a Kubernetes Service
        self.weights: dict[str, int] = {}  # confirmed
        self.routed: list[tuple[float, Mapping[str, float]]] = []  # since when, shares by variant
        self.sent: Mapping[str, int] | None = None  # last
        self._sent: list[dict[str, int]] = []

    @property
    def may_obey(self) -> frozenset[str]:
        """The pods in weights that were sent and are not in force yet."""
        return frozenset(name for weights in self._sent for name in weights)

    @property
    def in_between(self) -> tuple[Mapping[str, int], ...]:
        """All weights that were sent and are not in force yet, in order."""
        return tuple(self._sent)

    def send(
        self,
        weights: Mapping[str, int],
        pods: Mapping[str, SimulatedPod],
        now_s: float,
        *,
        at_once: bool = False,
    ) -> None:
        """Send weights, which come into force after the lag; those from before the run at once."""
        self._sent.append({name: weight for name, weight in weights.items() if weight > 0})
        self.sent = self._sent[-1]
        if at_once or now_s == 0.0:
            self.obey(pods, now_s)
        else:
            self._events.put(now_s + self._lag_s, EventKind.ROUTED, None)

    def balance(self, pods: Mapping[str, SimulatedPod], now_s: float) -> None:
        """The set of Ready pods has changed."""
        if self.balances_evenly:
            ready = {n: 1 for n, pod in pods.items() if pod.ready and not pod.leaving}
            self.send(ready, pods, now_s)

    def obey(self, pods: Mapping[str, SimulatedPod], now_s: float) -> None:
        """Put the oldest pending weights in force."""
        self.weights = self._sent.pop(0)
        self.look(pods, now_s)

    def look(self, pods: Mapping[str, SimulatedPod], now_s: float) -> None:
        """Determine which pods with weight exist and are Ready."""
        ready = {n: w for n, w in self.weights.items() if n in pods and pods[n].ready}
        self._traffic.route({pods[name].slot: weight for name, weight in ready.items()})
        total = sum(ready.values())
        shares: dict[str, float] = {}
        for name, weight in ready.items():
            variant = pods[name].target.variant
            shares[variant] = shares.get(variant, 0.0) + weight / total
        self.routed.append((now_s, shares))
