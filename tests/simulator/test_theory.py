"""The simulated queues beside queueing theory, and beside plain models that are written anew."""

import heapq
import math
from collections import deque
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from infadapter_simulator.measures import held_mean, measured
from infadapter_simulator.policies.hindsight.fixed import Fixed
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.metrics import busy_cores
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.queues import (
    DEADLINE,
    FAILED,
    LATE,
    MOST_WAITING,
    ON_TIME,
    REFUSED,
    Floats,
    Ints,
    serve,
)
from infadapter_simulator.world.traffic import Traffic
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, PodSize, Variant
from tests.deep import drawn

REQUESTS = 400_000
SERVERS = (1, 2, 4, 8, 16)
LOADS = (0.5, 0.8, 0.9, 0.95)
TIMES = (0.0, 0.3, 1.0, 2.5)
FOREVER_S = 1e9


# One pod, its service time 1


@cache
def exponential(seed: int) -> Floats:
    return np.random.default_rng(seed).exponential(1.0, 4 * REQUESTS)


@cache
def unit_poisson() -> Floats:
    return np.cumsum(exponential(1))


def poisson(load: float, servers: int = 1) -> Floats:
    """More of them the busier the servers are, as it takes longer until they have forgotten."""
    count = REQUESTS * (4 if load > 0.85 else 1)
    return unit_poisson()[:count] / (load * servers)


def waits(
    arrivals: Floats, servers: int, noise: Floats | None = None, limit: int = MOST_WAITING
) -> Floats:
    """By request; infinite where it was refused."""
    return served(arrivals, servers, noise, limit)[0] - arrivals


def served(
    arrivals: Floats,
    servers: int,
    noise: Floats | None = None,
    limit: int = MOST_WAITING,
    slo: float = FOREVER_S,
) -> tuple[Floats, Floats]:
    """Starts and finishes."""
    one = np.ones(1, dtype=np.int64)
    start, finish = np.full((2, len(arrivals)), np.inf)
    serve(
        arrivals,
        np.empty(0) if noise is None else noise,
        np.empty(0),
        0,
        len(arrivals),
        0 * one,
        one,
        0 * one,
        np.zeros((1, servers)),
        servers * one,
        np.ones(1),
        limit * one,
        0 * one,
        0 * one,
        np.zeros((1, MOST_WAITING)),
        slo,
        np.full(len(arrivals), -1),
        start,
        finish,
    )
    return start, finish


def in_system_of_m_d_c(load: float, servers: int) -> Floats:
    """
    How many requests are in an M/D/c system, from what one service time makes of that: all that
    are being served end, and as many come as a Poisson variable says (Crommelin, 1932).
    """
    most = servers + 500
    arriving = poisson_pmf(load * servers, most)
    step = np.zeros((most, most))
    for number in range(most):
        left = max(number - servers, 0)
        step[number, left:] = arriving[: most - left]
        step[number, -1] += 1 - step[number].sum()
    equations = step.T - np.eye(most)
    equations[-1] = 1.0  # they add up to one
    found: Floats = np.linalg.solve(equations, np.eye(most)[-1])
    return found


def poisson_pmf(mean: float, count: int) -> Floats:
    if not mean:
        return np.concatenate([[1.0], np.zeros(count - 1)])
    logs = np.cumsum(np.log(np.maximum(np.arange(count), 1)))
    found: Floats = np.exp(np.arange(count) * math.log(mean) - mean - logs)
    return found


def waits_longer_in_m_d_c(load: float, servers: int, time: float) -> float:
    """P(W > time), with Franx's formula (2001), whose terms are all positive."""
    in_queue = np.cumsum(in_system(load, servers))[servers:]  # at most 0, 1, … wait
    periods = math.floor(time) + 1
    terms = periods * servers
    arriving = poisson_pmf(load * servers * (periods - time), terms)
    return 1 - float(in_queue[:terms][::-1] @ arriving)


in_system = cache(in_system_of_m_d_c)


def mean_wait_of_m_d_c(load: float, servers: int) -> float:
    number = in_system(load, servers)
    waiting = np.maximum(np.arange(len(number)) - servers, 0)
    return float(waiting @ number) / (load * servers)


def erlang_b(offered: float, servers: int) -> float:
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    blocked = erlang_b(load * servers, servers)
    return blocked / (1 - load * (1 - blocked))


def agrees(found: Floats | NDArray[np.bool_], exact: float) -> bool:
    """
    The mean is the exact one, as far as so many requests of a busy queue tell: within four
    standard errors, which come from long batches as requests near each other wait alike.
    """
    means = found.reshape(100, -1).mean(axis=1)
    error = means.std(ddof=1) / 10
    right = abs(means.mean() - exact) <= 4 * error + 2e-5
    return bool(right and error <= 0.1 * exact + 2e-3)


@pytest.mark.parametrize("load", LOADS)
def test_mean_wait_is_pollaczek_khinchine_s_where_one_server_takes_equally_long(
    load: float,
) -> None:
    assert mean_wait_of_m_d_c(load, 1) == pytest.approx(load / 2 / (1 - load))
    assert agrees(waits(poisson(load), 1), load / 2 / (1 - load))


def test_a_whole_run_of_a_pod_waits_as_pollaczek_and_khinchine_say() -> None:
    """Through the world, its router and its pods."""
    arrivals = 0.1 * poisson(0.8)
    seconds = int(arrivals[-1]) + 1
    workload = Workload(
        name="poisson", arrivals_s=arrivals, seconds=seconds, history_rps=flat_history(8.0)
    )
    traffic = simulate(Fixed("small", 1), replace(SMALL, slo_s=FOREVER_S), workload, 1).traffic
    assert agrees(traffic.start_s - traffic.arrivals_s, 0.1 * 0.8 / 2 / (1 - 0.8))


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("servers", SERVERS)
def test_waits_are_those_of_m_d_c(servers: int, load: float) -> None:
    found = waits(poisson(load, servers), servers)
    assert agrees(found, mean_wait_of_m_d_c(load, servers))
    for time in TIMES:
        assert agrees(found > time + 1e-6, waits_longer_in_m_d_c(load, servers, time))


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("servers", SERVERS)
def test_waits_are_those_of_m_m_c(servers: int, load: float) -> None:
    found = waits(poisson(load, servers), servers, exponential(2))
    must_wait, leaving = erlang_c(load, servers), servers * (1 - load)
    assert agrees(found, must_wait / leaving)
    for time in TIMES:
        assert agrees(found > time + 1e-6, must_wait * math.exp(-leaving * time))


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("slo", [1.0, 1.5, 3.0, 6.0])
def test_refuses_as_many_as_an_m_d_1_queue_whose_customers_know_their_wait(
    slo: float, load: float
) -> None:
    """Those who would wait longer than slo - 1 do not join: exact (de Kok and Tijms, 1985)."""
    longer = waits_longer_in_m_d_c(load, 1, slo - 1)
    start, _ = served(poisson(load), 1, limit=DEADLINE, slo=slo)
    assert agrees(np.isinf(start), (1 - load) * longer / (1 - load * longer))


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("servers", SERVERS)
def test_refuses_as_erlang_b_says_where_nobody_may_wait(servers: int, equal: bool) -> None:
    """However the service times are spread."""
    noise = None if equal else exponential(2)
    found = waits(poisson(0.9, servers), servers, noise, limit=0)
    assert agrees(np.isinf(found), erlang_b(0.9 * servers, servers))


@pytest.mark.parametrize("limit", [1, 5, 20])
@pytest.mark.parametrize("servers", SERVERS)
def test_refuses_as_m_m_c_k_says_where_few_may_wait(servers: int, limit: int) -> None:
    found = waits(poisson(0.9, servers), servers, exponential(2), limit)
    full = erlang_b(0.9 * servers, servers)  # relative to all states with nobody waiting
    states = full * 0.9 ** np.arange(limit + 1)
    assert agrees(np.isinf(found), states[-1] / (1 + states[1:].sum()))


# Small worlds

CORES = (1, 2, 4, 8)
SMALL = Scenario(
    variants=(
        Variant(
            name="small",
            accuracy=0.7,
            load_time_s=3.0,
            allocations=tuple(
                Allocation(size=PodSize(resources={CPU: 1000 * n}), capacity_rps=8.0 * n)
                for n in CORES
            ),
        ),
    ),
    speeds={
        (
            "small",
            PodSize(resources={CPU: 1000 * n}),
        ): PodSpeed(n, 0.1)
        for n in CORES
    },
)


def allocation(cores: int) -> Allocation:
    return SMALL.allocation("small", 1000 * cores)


def world(arrivals_s: Floats, seconds: int, scenario: Scenario = SMALL, seed: int = 1) -> World:
    return world_of_requests(scenario, arrivals_s, flat_history(10.0), seconds, seed)


def with_pods(of: World, *cores: int) -> list[SimulatedPod]:
    """They are Ready, and the router splits by their cores."""
    pods = [of.start("small", allocation(n).size, ready=True) for n in cores]
    of.route({pod.name: n for pod, n in zip(pods, cores, strict=True)})
    return pods


def evenly(rps: float, seconds: float) -> Floats:
    return np.arange(0.5 / rps, seconds, 1 / rps)


def queues(arrivals_s: Floats, *speeds: PodSpeed, limit: int | None = MOST_WAITING) -> Traffic:
    """Queues alone, with no world around them; equal weights."""
    widest = replace(SMALL, speeds={("", PodSize()): PodSpeed(8, 1.0)})
    traffic = Traffic(arrivals_s, widest, 1)
    slots = [traffic.add(speed, limit, 0.0) for speed in speeds]
    traffic.route(dict.fromkeys(slots, 1))
    return traffic


# Plain models


@dataclass
class PlainPod:
    """What a pod is, event by event."""

    servers: int
    service_s: float
    limit: int | None  # None: refuse by the deadline
    slo_s: float
    ends: list[float] = field(default_factory=list)  # of what is being served
    waiting: deque[int] = field(default_factory=deque)
    start_s: dict[int, float] = field(default_factory=dict)
    finish_s: dict[int, float] = field(default_factory=dict)

    def arrive(self, request: int, now_s: float) -> None:
        self.pass_until(now_s)
        if not self.refuses(now_s):
            self.waiting.append(request)
            self.fill(now_s)

    def resize(self, servers: int, service_s: float, now_s: float) -> None:
        self.pass_until(now_s)
        self.servers, self.service_s = servers, service_s
        self.fill(now_s)

    def pass_until(self, now_s: float) -> None:
        while self.ends and self.ends[0] <= now_s:
            self.fill(heapq.heappop(self.ends))

    def fill(self, now_s: float) -> None:
        while self.waiting and len(self.ends) < self.servers:
            request = self.waiting.popleft()
            self.start_s[request] = now_s
            self.finish_s[request] = now_s + self.service_s
            heapq.heappush(self.ends, self.finish_s[request])

    def refuses(self, now_s: float) -> bool:
        if self.limit is None:
            return self.next_start_s(now_s) + self.service_s > now_s + self.slo_s + 1e-9
        busy = len(self.ends) >= self.servers
        return busy and len(self.waiting) >= self.limit

    def next_start_s(self, now_s: float) -> float:
        """Of who comes after all that wait."""
        ends, start_s = sorted(self.ends), now_s
        for _ in range(len(self.waiting) + 1):
            while len(ends) >= self.servers:
                start_s = heapq.heappop(ends)
            heapq.heappush(ends, start_s + self.service_s)
        return start_s


def nginx(weights: list[int], count: int) -> list[int]:
    """Smooth weighted round robin as nginx's documentation has it."""
    current, chosen = [0] * len(weights), []
    for _ in range(count):
        current = [have + weight for have, weight in zip(current, weights, strict=True)]
        best = current.index(max(current))
        current[best] -= sum(weights)
        chosen.append(best)
    return chosen


def envoy(weights: list[int], count: int) -> list[int]:
    """The earliest deadline first, as Envoy's scheduler has it."""
    due = [(Fraction(1, weight), host) for host, weight in enumerate(weights)]
    heapq.heapify(due)
    chosen = []
    for _ in range(count):
        at, host = due[0]
        heapq.heapreplace(due, (at + Fraction(1, weights[host]), host))
        chosen.append(host)
    return chosen


times = st.floats(0, 10, allow_nan=False, width=32)
sizes = st.tuples(st.integers(1, 8), st.floats(0.015625, 2, width=32))
limits = st.sampled_from([None, 0, 1, 3, MOST_WAITING])


@settings(max_examples=drawn(150), deadline=None)
@given(st.lists(times, max_size=60), st.lists(st.tuples(times, sizes), max_size=6), sizes, limits)
def test_a_pod_that_is_resized_ends_what_a_plain_model_ends_and_when(
    arrivals: list[float],
    resizes: list[tuple[float, tuple[int, float]]],
    size: tuple[int, float],
    limit: int | None,
) -> None:
    arrivals_s = np.sort(np.array(arrivals, dtype=np.float64))
    traffic = queues(arrivals_s, PodSpeed(*size), limit=limit)
    plain = PlainPod(*size, limit, SMALL.slo_s)
    passed = 0
    for at_s, now in [*sorted(resizes), (math.inf, size)]:
        before = int(np.searchsorted(arrivals_s, at_s))
        for request in range(passed, before):
            plain.arrive(request, arrivals_s[request])
        passed = before
        traffic.advance(at_s)
        if math.isfinite(at_s):
            plain.resize(*now, at_s)
            traffic.resize(0, PodSpeed(*now), limit, at_s)
    plain.pass_until(math.inf)
    taken = np.flatnonzero(traffic.slot_of == 0).tolist()
    assert taken == sorted(plain.finish_s)
    assert traffic.start_s[taken] == pytest.approx([plain.start_s[each] for each in taken])
    assert traffic.finish_s[taken] == pytest.approx([plain.finish_s[each] for each in taken])


@settings(max_examples=drawn(50), deadline=None)
@given(st.lists(st.lists(st.integers(1, 1000), min_size=1, max_size=8), min_size=1, max_size=3))
def test_requests_go_round_the_pods_as_in_nginx(routed: list[list[int]]) -> None:
    """Each new set of weights begins anew."""
    each = 200
    traffic = queues(np.arange(each * len(routed), dtype=np.float64), *[PodSpeed(1, 1e-3)] * 8)
    for number, weights in enumerate(routed):
        traffic.route(dict(enumerate(weights)))
        traffic.advance(each * (number + 1.0))
    expected = [slot for weights in routed for slot in nginx(weights, each)]
    assert traffic.slot_of.tolist() == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_over_a_round_every_pod_gets_its_weight_as_in_envoy(weights: list[int]) -> None:
    total = sum(weights)
    traffic = queues(np.arange(total, dtype=np.float64), *[PodSpeed(1, 1e-3)] * len(weights))
    traffic.route(dict(enumerate(weights)))
    traffic.advance(math.inf)
    count = np.bincount(traffic.slot_of, minlength=len(weights)).tolist()
    assert count == np.bincount(envoy(weights, total), minlength=len(weights)).tolist() == weights


def test_a_random_router_gives_shares_as_a_binomial_does() -> None:
    weights, count = {0: 1, 1: 2, 2: 7}, 200_000
    scenario = replace(SMALL, weighs_at_random=True)
    traffic = Traffic(np.arange(count, dtype=np.float64), scenario, 3)
    for _ in weights:
        traffic.add(PodSpeed(1, 1e-3), None, 0.0)
    traffic.route(weights)
    traffic.advance(math.inf)
    for slot, weight in weights.items():
        p = weight / sum(weights.values())
        bound = 5 * math.sqrt(p * (1 - p) / count)
        assert (traffic.slot_of == slot).mean() == pytest.approx(p, abs=bound)
    assert not np.array_equal(traffic.slot_of[:1000], traffic.slot_of[1000:2000])


# Whole worlds


def troubled(seed: int) -> World:
    """Pods of several sizes that fail, leave and are joined by others; too much load at times."""
    scenario = replace(
        SMALL, service_sigma=0.5, weighs_at_random=seed % 2 == 1, failures_per_pod_hour=120.0
    )
    arrivals = np.sort(np.random.default_rng(seed).uniform(0, 240, 14_000))
    found = world(arrivals, 240, scenario, seed)
    with_pods(found, 1, 2, 4)
    for second in range(0, 240, 20):
        found.advance(second)
        found.start("small", allocation(CORES[second // 20 % 4]).size)
        found.remove(found.pods[0])
        found.route({p.name: p.size.cpu_millicores for p in found.pods if not p.leaving})
    found.advance(240)
    return found


@pytest.fixture(scope="module", params=range(4))
def trouble(request: pytest.FixtureRequest) -> World:
    return troubled(request.param)


def test_every_request_has_one_outcome(trouble: World) -> None:
    outcome = trouble.traffic.outcomes()
    counts = [int((outcome == kind).sum()) for kind in (ON_TIME, LATE, REFUSED, FAILED)]
    assert sum(counts) == len(trouble.traffic.arrivals_s) == 14_000
    assert min(counts) > 0
    found = measured(trouble)
    assert found.violations == pytest.approx(1 - counts[0] / 14_000)
    assert found.effective_accuracy == pytest.approx(0.7 * counts[0] / 14_000)


def test_a_pod_is_never_busier_than_its_servers_and_serves_in_order(trouble: World) -> None:
    traffic = trouble.traffic
    answered = (traffic.slot_of >= 0) & ~traffic.lost
    slots, widest = np.unique(traffic.slot_of[answered]), []
    for slot in slots:
        own = answered & (traffic.slot_of == slot)
        start, finish = traffic.start_s[own], traffic.finish_s[own]
        assert (np.diff(start) >= 0).all()
        assert (start >= traffic.arrivals_s[own]).all()
        busy = np.arange(1, len(start) + 1) - np.searchsorted(np.sort(finish), start, "right")
        widest.append(int(busy.max()))
    assert all(most <= cores for most, cores in zip(widest, sizes_of(trouble, slots), strict=True))
    assert {1, 2, 4, 8} <= set(widest)


def sizes_of(of: World, slots: Ints) -> list[int]:
    held = {each.slot: each.millicores // 1000 for each in reversed(of.held) if each.millicores}
    return [held[slot] for slot in slots.tolist()]


def test_a_failed_pod_loses_what_it_has_comes_back_and_gets_traffic_again() -> None:
    scenario = replace(SMALL, failures_per_pod_hour=60.0)
    found = world(evenly(15.0, 600), 600, scenario)
    with_pods(found, 2)
    found.advance(600)
    failed = [at_s for at_s, shares in found.router.routed if not shares]
    back = [at_s for at_s, shares in found.router.routed[1:] if shares]
    assert len(failed) > 3
    assert back == pytest.approx([at_s + 5.0 for at_s in failed][: len(back)])
    outcome, arrivals = found.traffic.outcomes(), found.traffic.arrivals_s
    for down_s, up_s in zip(failed, back, strict=False):
        in_service = (arrivals < down_s) & (found.traffic.finish_s > down_s)
        assert set(outcome[in_service & (arrivals > down_s - 1)]) <= {FAILED}
        assert set(outcome[(arrivals >= down_s) & (arrivals < up_s)]) == {REFUSED}
    away = np.zeros(len(arrivals), dtype=bool)
    for down_s, up_s in zip(failed, [*back, 600.0], strict=False):
        away |= (arrivals > down_s - 0.2) & (arrivals < up_s)
    assert set(outcome[~away]) == {ON_TIME}


def test_while_a_pod_is_down_the_others_get_its_traffic() -> None:
    found = world(evenly(15.0, 20), 20)
    first, second = with_pods(found, 2, 2)
    found.advance(5.0)
    found.fail(first)
    found.advance(20.0)
    slots, arrivals = found.traffic.slot_of, found.traffic.arrivals_s
    down = (arrivals > 5.0) & (arrivals < 10.0)
    assert set(slots[down]) == {second.slot}
    assert set(slots[arrivals > 10.5]) == {first.slot, second.slot}


@pytest.mark.parametrize("limit", [5, 100, MOST_WAITING])
def test_a_pod_that_failed_comes_back_empty(limit: int) -> None:
    arrivals = np.concatenate([np.linspace(0, 1, 200), [12.0, 12.1]])
    traffic = queues(arrivals, PodSpeed(1, 1.0), limit=limit)
    traffic.advance(2.0)
    traffic.fail(0, 2.0)
    traffic.resize(0, PodSpeed(2, 1.0), limit, 3.0)
    traffic.advance(20.0)
    assert traffic.start_s[-2:].tolist() == [12.0, 12.1]
    assert busy_cores(traffic, 0, 3.0, 11.0) == 0


def test_a_pod_that_leaves_ends_what_it_has_and_costs_until_then() -> None:
    """Ten requests at once keep two servers busy for half a second, and more come for a second."""
    arrivals = np.concatenate([evenly(10.0, 5.0), np.full(10, 5.0), evenly(10.0, 2.0) + 5.0])
    found = world(np.sort(arrivals), 10, replace(SMALL, slo_s=5.0, drain_s=0.1, weights_lag_s=1.0))
    leaving, staying = with_pods(found, 2, 2)
    found.advance(5.05)
    found.remove(leaving)
    found.route({staying.name: 1})
    found.advance(10.0)
    own = found.traffic.slot_of == leaving.slot
    last_s = float(found.traffic.finish_s[own].max())
    assert set(found.traffic.outcomes()) == {ON_TIME}
    assert float(found.traffic.arrivals_s[own].max()) > 5.8  # the router had not heard yet
    gone_s = next(each.at_s for each in found.held if not each.millicores)
    assert last_s <= gone_s <= last_s + 0.2
    assert held_mean(found, "millicores") == pytest.approx(2000 + 2000 * gone_s / 10)
    assert [pod.name for pod in found.pods] == [staying.name]


def test_a_pod_with_a_queue_stays_until_the_last_of_it_is_answered() -> None:
    found = world(np.full(40, 1.0), 10, replace(SMALL, slo_s=5.0))
    (pod,) = with_pods(found, 1)
    found.advance(1.1)
    found.remove(pod)
    found.route({})
    found.advance(10.0)
    assert set(found.traffic.outcomes()) == {ON_TIME}
    assert [each.at_s for each in found.held if not each.millicores] == [pytest.approx(5.0)]


def test_growing_in_place_takes_effect_after_its_delay_and_costs_at_once() -> None:
    found = world(np.full(100, 1.0), 10, replace(SMALL, slo_s=20.0))
    (pod,) = with_pods(found, 1)
    found.advance(2.0)
    found.resize(pod, allocation(2).size)
    found.advance(10.0)
    ended = np.sort(found.traffic.finish_s)
    assert np.diff(ended[ended < 3.0 - 1e-6]) == pytest.approx(0.1)
    later = ended[ended > 3.15]
    assert np.diff(later[::2]) == pytest.approx(0.1)
    assert held_mean(found, "millicores") == pytest.approx(1000 * (2 + 2 * 8) / 10)


def fingerprint(paper: Scenario, seed: int) -> tuple[bytes, bytes, str]:
    scenario = replace(paper, service_sigma=0.3, weighs_at_random=True, failures_per_pod_hour=60.0)
    rates = np.repeat([20, 60, 110, 40], 10)
    arrivals = [second + evenly(rate, 1.0) for second, rate in enumerate(rates)]
    workload = Workload(
        name="steps",
        arrivals_s=np.concatenate(arrivals),
        seconds=len(rates),
        history_rps=flat_history(20.0),
    )
    found = simulate(Ours(service=service_of(scenario)), scenario, workload, seed)
    return found.traffic.slot_of.tobytes(), found.traffic.finish_s.tobytes(), str(found.held)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(paper: Scenario) -> None:
    some = fingerprint(paper, 1)
    assert some == fingerprint(paper, 1)
    assert some[1] != fingerprint(paper, 2)[1]
