"""Prometheus metrics of failing starts, and of the reasons why rollouts rest."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from infadapter_operator.reconcile import Cycle
from infadapter_solver.problem import Target

Key = tuple[str, str]
_SERVICE = ("namespace", "service")


class RolloutMetrics:
    """The metrics. A block that was restored from the status counts again in a new process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._blocked = Counter(
            "infadapter_blocked_total",
            "Number of back-offs of targets whose pods could not be started.",
            (*_SERVICE, "cause"),
            registry=registry,
        )
        self._rest = Gauge(
            "infadapter_progress_rest",
            "1 while the rollout waits short of its plan; absent while it progresses or is done.",
            (*_SERVICE, "reason"),
            registry=registry,
        )
        self._attempts: dict[Key, dict[Target, tuple[str, int]]] = {}
        self._rests: dict[Key, str] = {}

    def record(self, key: Key, cycle: Cycle) -> None:
        """
        Record a cycle. One that observed nothing says nothing about blocks, nor whether the rollout
        rests.
        """
        if cycle.observed is not None:
            self._count(key, cycle)
        rest = cycle.progress.rest if cycle.progress else None
        if (before := self._rests.pop(key, None)) not in (None, rest):
            self._rest.remove(*key, before)
        if rest is not None:
            self._rests[key] = rest.value
            self._rest.labels(*key, rest.value).set(1)

    def forget(self, namespace: str, service: str) -> None:
        labels = {"namespace": namespace, "service": service}
        for family in (self._blocked, self._rest):
            family.remove_by_labels(labels)
        self._attempts.pop((namespace, service), None)
        self._rests.pop((namespace, service), None)

    def _count(self, key: Key, cycle: Cycle) -> None:
        """Count each failed attempt."""
        before = self._attempts.get(key, {})
        now = {target: (block.digest, block.attempts) for target, block in cycle.blocks.items()}
        for target, attempt in now.items():
            if before.get(target) != attempt:
                self._blocked.labels(*key, cycle.blocks[target].cause.value).inc()
        self._attempts[key] = now
