"""The autoscalers on a small world: pods of n cores serve 10 n requests per second."""

from collections.abc import Callable

import numpy as np
import pytest

from infadapter_simulator.measures import cores_over_time, measured
from infadapter_simulator.policies.hindsight.fixed import Fixed
from infadapter_simulator.policies.kubernetes.hpa import (
    Hpa,
    hpa_cpu,
    hpa_cpu_choices,
    hpa_rps,
    hpa_rps_choices,
)
from infadapter_simulator.policies.kubernetes.keda import keda, keda_choices
from infadapter_simulator.policies.kubernetes.kpa import Kpa, kpa_choices
from infadapter_simulator.policies.kubernetes.replicas import Setting, in_order_of_removal
from infadapter_simulator.policies.kubernetes.vpa import Vpa
from infadapter_simulator.policies.papers.vpa_plus import VpaPlus, whole_cores
from infadapter_simulator.policies.policy import Policy
from infadapter_simulator.scenario import PodSpeed, Scenario, Server
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.queues import MOST_WAITING
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, PodSize, Target, Variant

SETTING = Setting(2, 0.6)
LOW_RPS, HIGH_RPS = 40.0, 150.0
STEP_S = 60

POLICIES: dict[str, Callable[[], Policy]] = {
    "fixed": lambda: Fixed("small", 8),
    "hpa-cpu": lambda: hpa_cpu("small", SETTING),
    "hpa-rps": lambda: hpa_rps("small", SETTING),
    "keda": lambda: keda("small", SETTING),
    "kpa": lambda: Kpa(variant="small", setting=SETTING),
    "vpa": lambda: Vpa(variant="small"),
    "vpa-cold": lambda: Vpa(variant="small", history_days=0),
    "vpa-plus": lambda: VpaPlus(variant="small"),
}
SCALERS = ("hpa-cpu", "hpa-rps", "keda", "kpa")


def scenario(server: Server = Server.SAME) -> Scenario:
    allocations = tuple(
        Allocation(size=PodSize(resources={CPU: 1000 * cores}), capacity_rps=8.0 * cores)
        for cores in range(1, 21)
    )
    return Scenario(
        variants=(Variant(name="small", accuracy=0.7, load_time_s=4.0, allocations=allocations),),
        speeds={("small", a.size): PodSpeed(a.cpu_millicores // 1000, 0.1) for a in allocations},
        server=server,
    )


def workload(high_rps: float = HIGH_RPS, high_s: int = 300, after_s: int = 0) -> Workload:
    """Low for a minute, then high, then low again."""
    seconds = STEP_S + high_s + after_s
    rates = np.full(seconds, LOW_RPS)
    rates[STEP_S : STEP_S + high_s] = high_rps
    rng = np.random.default_rng(5)
    arrivals = [second + rng.random(int(rate)) for second, rate in enumerate(rates)]
    return Workload(
        name="step",
        arrivals_s=np.sort(np.concatenate(arrivals)),
        seconds=seconds,
        history_rps=flat_history(LOW_RPS),
    )


def cores(world: World) -> list[float]:
    """By second."""
    return [float(value) for value in cores_over_time(world, 1.0)[1]["small"]]


@pytest.mark.parametrize("name", POLICIES)
def test_serves_from_the_first_request_on(name: str) -> None:
    world = simulate(POLICIES[name](), scenario(), workload(high_rps=LOW_RPS), 1)
    assert world.traffic.slot_of[0] >= 0
    assert measured(world).violations == 0


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("server", Server)
def test_does_the_same_in_the_same_world(name: str, server: Server) -> None:
    policy = POLICIES[name]()
    first = simulate(policy, scenario(server), workload(), 1)
    again = simulate(policy, scenario(server), workload(), 1)
    other = simulate(POLICIES[name](), scenario(server), workload(), 1)
    assert first.held == again.held == other.held


@pytest.mark.parametrize("name", SCALERS)
def test_scales_out_when_the_load_grows_and_not_before(name: str) -> None:
    held = cores(simulate(POLICIES[name](), scenario(), workload(), 1))
    assert max(held[:STEP_S]) <= held[0] + 2
    assert held[-1] >= 16


@pytest.mark.parametrize("name", SCALERS)
def test_holds_no_more_than_the_budget(name: str) -> None:
    assert max(cores(simulate(POLICIES[name](), scenario(), workload(400.0), 1))) == 20


@pytest.mark.parametrize("name", ["hpa-cpu", "hpa-rps", "keda"])
def test_an_hpa_keeps_its_pods_for_five_minutes_after_a_burst(name: str) -> None:
    world = simulate(POLICIES[name](), scenario(), workload(high_s=60, after_s=420), 1)
    held = cores(world)
    most, burst_end_s = max(held), STEP_S + 60
    assert held[burst_end_s + 270] == most
    assert held[-1] <= most / 2


def test_knative_gives_pods_back_within_two_minutes() -> None:
    world = simulate(POLICIES["kpa"](), scenario(), workload(high_s=60, after_s=150), 1)
    assert max(cores(world)) >= 18
    assert cores(world)[-1] <= 10


def test_reacts_within_its_published_delays() -> None:
    def first_change_s(name: str, seed: int) -> float:
        held = cores(simulate(POLICIES[name](), scenario(), workload(), seed))
        return next(i for i, value in enumerate(held) if value > max(held[:STEP_S])) - STEP_S

    seeds = range(12)
    by_knative = [first_change_s("kpa", seed) for seed in seeds]
    by_rate = [first_change_s("keda", seed) for seed in seeds]
    by_cpu = [first_change_s("hpa-cpu", seed) for seed in seeds]
    assert max(by_knative) <= 9
    assert 2 <= min(by_rate) < max(by_rate) <= 24
    assert 5 <= min(by_cpu) < max(by_cpu) <= 60
    assert np.mean(by_knative) < np.mean(by_rate) < np.mean(by_cpu)


def test_a_fixed_pod_stays_as_it_is() -> None:
    world = simulate(Fixed("small", 8), scenario(), workload(), 1)
    assert [held.millicores for held in world.held] == [8000]
    assert Fixed("small", 8).name == "fixed-small-8"


def test_a_vpa_with_eight_days_behind_it_does_not_move_in_an_hour() -> None:
    world = simulate(Vpa(variant="small"), scenario(), workload(high_s=3600), 1)
    assert set(cores(world)) == {5.0}


def test_a_vpa_with_a_short_half_life_grows_in_place() -> None:
    world = simulate(Vpa(variant="small", half_life_s=600.0), scenario(), workload(high_s=3600), 1)
    assert cores(world)[-1] >= 15
    assert {held.slot for held in world.held} == {0}


def test_vpa_plus_creates_before_it_destroys() -> None:
    world = simulate(VpaPlus(variant="small"), scenario(), workload(high_s=900), 1)
    held = cores(world)
    assert held[0] == 5.0
    assert held[-1] >= 15
    assert 5.0 + 6.0 in held
    assert all(shares == {"small": 1.0} for _, shares in world.router.routed)


def test_vpa_plus_shrinks_in_the_fifth_round_that_wants_no_more() -> None:
    policy = VpaPlus(variant="small", start_cores=20, object_after_s=60.0)
    world = simulate(policy, scenario(), workload(high_s=900), 1)
    assert cores(world)[0] == 20.0
    shrunk_s = next(held.at_s for held in world.held if held.at_s > 0)
    # The object comes within a minute, its first recommendation within another.
    assert 30 + 4 * 30 < shrunk_s < 120 + 5 * 30


def test_what_requests_use_beside_the_model_makes_a_vpa_larger_while_cores_are_idle() -> None:
    def sizes(beside_s: float) -> list[float]:
        policy = VpaPlus(variant="small", start_cores=20, beside_s=beside_s)
        return cores(simulate(policy, scenario(), workload(high_rps=LOW_RPS, high_s=400), 1))

    assert min(sizes(0.0)) < min(sizes(0.1)) < 20


@pytest.mark.parametrize(("millicores", "whole"), [(25, 2), (2001, 3), (3000, 3), (25_000, 20)])
def test_vpa_plus_takes_whole_cores(millicores: int, whole: int) -> None:
    assert whole_cores(millicores) == whole


def test_pods_that_are_not_ready_go_first_and_then_the_youngest() -> None:
    size = PodSize(resources={CPU: 1000})

    def pod(slot: int, ready_since_s: float | None) -> SimulatedPod:
        return SimulatedPod(
            slot=slot,
            name=str(slot),
            target=Target("small"),
            size=size,
            wanted=size,
            created_at_s=0.0,
            ready=ready_since_s is not None,
            ready_since_s=ready_since_s or 0.0,
        )

    pods = [pod(0, 1.0), pod(1, 50.0), pod(2, None), pod(3, 20.0)]
    assert [one.slot for one in in_order_of_removal(pods)] == [2, 1, 3, 0]


def test_servers_let_all_wait_but_knatives_ten_times_its_concurrency() -> None:
    world = world_of_requests(scenario(), np.empty(0), np.empty(0), 0, 1)
    for name, make in POLICIES.items():
        limits = make().queue_limits(world)
        assert limits is not None
        assert limits["small", 4000] == (40 if name == "kpa" else MOST_WAITING)


def test_there_are_twelve_choices_of_each_with_names_that_say_them() -> None:
    families: tuple[Callable[[str], tuple[Hpa | Kpa, ...]], ...] = (
        hpa_cpu_choices,
        hpa_rps_choices,
        keda_choices,
        kpa_choices,
    )
    names = [policy.name for family in families for policy in family("resnet50")]
    assert len(set(names)) == 4 * 12
    assert "hpa-cpu-resnet50[4c,60%]" in names
    assert {name.split("[")[0] for name in names} == {
        f"{family}-resnet50" for family in ("hpa-cpu", "hpa-rps", "keda", "kpa")
    }
