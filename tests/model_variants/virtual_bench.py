"""Servers in virtual time with known capacity, to test the profiler's search."""

import asyncio
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.steps import Goal, Seen, Step, in_parts, tail_length
from infadapter_server.profiling.turns import in_turns

Array = npt.NDArray[np.float64]


@dataclass
class Machine:
    """
    A machine whose speed drifts: its logarithm is an Ornstein-Uhlenbeck process (AR(1) in steps of
    a second). At random times it stalls.
    """

    drift: float = 0.0  # standard deviation of the logarithm
    memory_s: float = 100.0
    stalls_per_minute: float = 0.0
    stall_s: float = 0.1  # mean
    seed: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(10_000 + self.seed)
        self.now = self.drift * self.rng.normal()

    def wait(self, seconds: float) -> None:
        kept = math.exp(-seconds / self.memory_s)
        self.now = kept * self.now + math.sqrt(1 - kept**2) * self.drift * self.rng.normal()

    def services_s(self, due_s: Array, seconds: float, service_s: float) -> Array:
        """Return the service times of requests due within the next `seconds`, and advance."""
        whole = math.floor(seconds)
        path = [self.now]
        for length_s in [*(whole * [1.0]), seconds - whole]:
            self.wait(length_s)
            path.append(self.now)
        at_s = [*range(whole + 1), seconds]
        services_s: Array = service_s * np.exp(-np.interp(due_s, at_s, path))
        stalls = self.rng.poisson(self.stalls_per_minute * seconds / 60)
        hit = np.searchsorted(due_s, self.rng.random(stalls) * seconds)
        lengths_s = self.rng.exponential(self.stall_s, stalls)
        np.add.at(services_s, hit[hit < len(due_s)], lengths_s[hit < len(due_s)])
        return services_s


@dataclass
class Queue:
    """An M/D/1 queue. `refuses`: requests that would be late are refused on arrival."""

    service_s: float
    seed: int = 0
    refuses: bool = False
    machine: Machine = field(default_factory=Machine)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    async def take(self, step: Step) -> Seen:
        self.steps.append(step)
        arrivals = self.rng.poisson(step.rate_rps * step.seconds)
        due_s = np.sort(self.rng.random(arrivals) * step.seconds)
        services_s = self.machine.services_s(due_s, step.seconds, self.service_s)
        latency_s = self.latencies_s(due_s, services_s, step.goal)
        return as_seen(due_s, latency_s, step)

    def latencies_s(self, due_s: Array, services_s: Array, goal: Goal) -> Array:
        """Return the latency of each request, infinity if refused."""
        if self.refuses:
            return refusing(due_s, services_s, goal.slo_s)
        worked_s = np.cumsum(services_s)
        done_s = worked_s + np.maximum.accumulate(due_s - (worked_s - services_s))
        latency_s: Array = done_s - due_s
        return latency_s


def searched_alone(search: Search) -> KnownCapacity:
    """Return the capacity that a search finds if it has all turns."""
    ((known,), _) = asyncio.run(in_turns([search], 0))
    return known


def refusing(due_s: Array, services_s: Array, slo_s: float) -> Array:
    free_s, latencies = 0.0, np.full(len(due_s), math.inf)
    for number, (at_s, service_s) in enumerate(
        zip(due_s.tolist(), services_s.tolist(), strict=True)
    ):
        done_s = max(free_s, at_s) + service_s
        if done_s - at_s <= slo_s:
            free_s, latencies[number] = done_s, done_s - at_s
    return latencies


def as_seen(due_s: Array, latency_s: Array, step: Step) -> Seen:
    goal, counts = step.goal, due_s >= step.warm_up_s
    found = alone(due_s, latency_s)
    alone_s = in_parts(zip(due_s[found].tolist(), latency_s[found].tolist(), strict=True), step)
    latency_s = latency_s[counts]
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
        alone_s=alone_s,
    )


def alone(due_s: Array, latency_s: Array) -> npt.NDArray[np.bool_]:
    """Return which answered requests found the server idle."""
    done_s = np.where(np.isfinite(latency_s), due_s + latency_s, due_s)
    before_s = np.concatenate([[0.0], np.maximum.accumulate(done_s)[:-1]])[: len(due_s)]
    found: npt.NDArray[np.bool_] = np.isfinite(latency_s) & (due_s >= before_s)
    return found


def capacity_rps(service_s: float, goal: Goal) -> float:
    """
    Return the capacity of an M/D/1 queue: the rate at which the waiting time (Erlang, 1909) exceeds
    what the SLO leaves with the goal's probability epsilon.
    """
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
    """Return any queue's capacity by bisection, with a long run at each rate and common seed."""
    low, high = 0.05 / queue.service_s, 1.2 / queue.service_s
    for _ in range(9):
        rate_rps = (low + high) / 2
        rng = np.random.default_rng(1)
        due_s = np.cumsum(rng.exponential(1 / rate_rps, int(rate_rps * seconds)))
        latency_s = queue.latencies_s(due_s, np.full(len(due_s), queue.service_s), goal)
        if float((latency_s > goal.slo_s).mean()) <= goal.epsilon:
            low = rate_rps
        else:
            high = rate_rps
    return low
