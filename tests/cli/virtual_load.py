"""The load that `infadapter profile` measures, in virtual time, whatever the machine's speed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_workload.arrivals import constant_rate
from infadapter_workload.outcomes import Outcome


@dataclass(frozen=True, kw_only=True)
class VirtualLoad:
    """Load on one worker, which takes `takes_s(endpoint)` seconds for each request."""

    takes_s: Callable[[Endpoint], float]
    endpoint: Endpoint
    bodies: Sequence[bytes]
    clients: int

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        service_s = self.takes_s(self.endpoint)
        return [answered(0, n * service_s) for n in range(1, int(seconds / service_s) + 1)]

    async def poisson(
        self,
        rate_rps: float,
        seconds: float,
        *,
        seed: int,
        max_backlog: int,
        slo_s: float | None = None,
    ) -> Sequence[Outcome]:
        service_s, free_s = self.takes_s(self.endpoint), 0.0
        outcomes = []
        for due_s in constant_rate(rate_rps, seconds, seed=seed).tolist():
            free_s = max(free_s, due_s) + service_s
            outcomes.append(answered(due_s, free_s))
        return outcomes

    async def settle(self) -> None:
        pass


def answered(due_s: float, done_s: float) -> Outcome:
    return Outcome(scheduled_s=due_s, sent_s=due_s, done_s=done_s, code=200)
