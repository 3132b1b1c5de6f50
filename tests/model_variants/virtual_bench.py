"""Servers in virtual time whose capacity is known: what the search is held against."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from infadapter_server.profiling.steps import Goal, Seen, Step, tail_length

Array = npt.NDArray[np.float64]


@dataclass
class Queue:
    """
    M/D/1, one request after the other. `refuses`: what would be late is refused on arrival.
    `drift`: how much the machine's speed varies from step to step (of the logarithm).
    """

    service_s: float
    seed: int = 0
    refuses: bool = False
    drift: float = 0.0
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    async def take(self, step: Step) -> Seen:
        self.steps.append(step)
        arrivals = self.rng.poisson(step.rate_rps * step.seconds)
        due_s = np.sort(self.rng.random(arrivals) * step.seconds)
        service_s = self.service_s * math.exp(self.drift * self.rng.normal())
        latency_s = self.latencies_s(due_s, service_s, step.goal)[due_s >= step.warm_up_s]
        return as_seen(latency_s, step.goal)

    def latencies_s(self, due_s: Array, service_s: float, goal: Goal) -> Array:
        """Infinite where refused."""
        if self.refuses:
            return refusing(due_s, service_s, goal.slo_s)
        worked_s = service_s * np.arange(1, len(due_s) + 1)
        done_s = worked_s + np.maximum.accumulate(due_s - (worked_s - service_s))
        latency_s: Array = done_s - due_s
        return latency_s


def refusing(due_s: Array, service_s: float, slo_s: float) -> Array:
    free_s, latencies = 0.0, np.full(len(due_s), math.inf)
    for number, at_s in enumerate(due_s.tolist()):
        done_s = max(free_s, at_s) + service_s
        if done_s - at_s <= slo_s:
            free_s, latencies[number] = done_s, done_s - at_s
    return latencies


def as_seen(latency_s: Array, goal: Goal) -> Seen:
    finite = np.sort(latency_s[np.isfinite(latency_s)])[::-1] / goal.slo_s
    refused = len(latency_s) - len(finite)
    return Seen(
        sent=max(1, len(latency_s)),
        missed=int((latency_s > goal.slo_s).sum()),
        refused=refused,
        failed=0,
        unanswered=refused,
        tail=tuple(finite[: tail_length(len(latency_s), goal)].tolist()),
        late_p99_s=0.0,
    )


def capacity_rps(service_s: float, goal: Goal) -> float:
    """Of M/D/1: where Erlang's (1909) waiting time exceeds the SLO with the goal's epsilon."""
    waiting = goal.slo_s / service_s - 1
    low, high = 0.01, 0.97
    for _ in range(40):
        middle = (low + high) / 2
        if 1 - _waits_at_most(waiting, middle) <= goal.epsilon:
            low = middle
        else:
            high = middle
    return low / service_s


def _waits_at_most(services: float, load: float) -> float:
    terms = (
        (-load * (services - k)) ** k / math.factorial(k) * math.exp(load * (services - k))
        for k in range(math.floor(services) + 1)
    )
    return (1 - load) * math.fsum(terms)


def simulated_capacity_rps(queue: Queue, goal: Goal, seconds: float) -> float:
    """Of any queue, by one long run at each rate, all of the same arrivals."""
    low, high = 0.05 / queue.service_s, 1.2 / queue.service_s
    for _ in range(9):
        rate_rps = (low + high) / 2
        rng = np.random.default_rng(1)
        due_s = np.cumsum(rng.exponential(1 / rate_rps, int(rate_rps * seconds)))
        latency_s = queue.latencies_s(due_s, queue.service_s, goal)
        if float((latency_s > goal.slo_s).mean()) <= goal.epsilon:
            low = rate_rps
        else:
            high = rate_rps
    return low
