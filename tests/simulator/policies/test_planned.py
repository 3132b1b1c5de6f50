"""How plans are carried out: when, and never with less than before."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from infadapter_simulator.policies.papers.planned import Groups, Planned
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.world import World
from infadapter_solver import (
    CPU,
    Allocation,
    Objective,
    Plan,
    PodGroup,
    PodSize,
    Problem,
    Target,
    Variant,
    evaluate,
)

LOAD_TIME_S, START_S = 6.0, 8.0
PER_CORE_RPS = 10


def _allocation(cores: int) -> Allocation:
    return Allocation(
        size=PodSize(resources={CPU: 1000 * cores}), capacity_rps=float(PER_CORE_RPS * cores)
    )


ALLOCATIONS = tuple(_allocation(cores) for cores in range(1, 21))
VARIANTS = tuple(
    Variant(name=name, accuracy=accuracy, load_time_s=LOAD_TIME_S, allocations=ALLOCATIONS)
    for name, accuracy in (("small", 0.7), ("large", 0.8))
)
SCENARIO = Scenario(
    variants=VARIANTS,
    speeds={
        (v.name, a.size): PodSpeed(a.cpu_millicores // 1000, 1 / PER_CORE_RPS)
        for v in VARIANTS
        for a in ALLOCATIONS
    },
)


@dataclass
class Said:
    """Plans for what it is told: cores of each variant, the sum of which is the demand."""

    plans: list[dict[str, int]]  # what it wants, decision by decision; the last one for ever
    first: dict[str, int]
    asked_at_s: list[float] = field(default_factory=list)

    def first_demand_rps(self, mean_rps: float) -> float:
        return self._rps(self.first)

    def demand_rps(self, world: World) -> float:
        self.asked_at_s.append(world.now_s)
        return self._rps(self._now())

    def plan(self, demand_rps: float, running: Groups) -> Plan:
        wanted = self._now() if self.asked_at_s else self.first
        groups = [
            PodGroup(target=Target(name), allocation=_allocation(cores), pods=1)
            for name, cores in wanted.items()
        ]
        problem = Problem(
            variants=VARIANTS, demand_rps=demand_rps, objective=Objective(budget={CPU: 20_000})
        )
        return evaluate(problem, groups)

    def weights_total(self, demand_rps: float) -> int:
        return 100

    def _now(self) -> dict[str, int]:
        return self.plans[min(len(self.asked_at_s), len(self.plans)) - 1]

    def _rps(self, wanted: dict[str, int]) -> float:
        return float(PER_CORE_RPS * sum(wanted.values()))


def planned(rule: Said, stable_rounds: int = 0) -> Planned:
    return Planned(
        name="said",
        rule=rule,
        interval_s=30.0,
        first_decision_s=30.0,
        stable_rounds=stable_rounds,
    )


def run(policy: Planned, seconds: int = 300, seed: int = 1) -> World:
    arrivals_s = np.arange(0, seconds, 0.05)
    workload = Workload(
        name="steady", arrivals_s=arrivals_s, seconds=seconds, history_rps=flat_history(20)
    )
    return simulate(policy, SCENARIO, workload, seed)


def starts(world: World) -> list[tuple[float, str, int]]:
    """Since when pods hold their cores, after the first moment."""
    return [
        (held.at_s, held.target.variant, held.millicores // 1000)
        for held in world.held
        if held.millicores and held.at_s > 0
    ]


def test_less_is_acted_upon_in_the_fifth_round_that_wants_no_more() -> None:
    rule = Said([{"small": 4}], first={"small": 8})
    world = run(planned(rule, stable_rounds=4))
    assert [at_s for at_s, *_ in starts(world)] == rule.asked_at_s[4:5]
    assert np.diff(rule.asked_at_s[:5]) == pytest.approx(30.0)
    assert rule.asked_at_s[0] < 31


def test_more_is_acted_upon_at_once_and_the_rounds_begin_anew() -> None:
    wanted = [{"small": 8}, {"small": 8}, {"small": 9}, *4 * [{"small": 5}], {"small": 4}]
    rule = Said(wanted, first={"small": 8})
    world = run(planned(rule, stable_rounds=4), 360)
    assert starts(world) == [
        (rule.asked_at_s[2], "small", 9),
        (rule.asked_at_s[7], "small", 4),
    ]


def test_plans_that_run_the_same_are_no_changes() -> None:
    rule = Said([{"small": 8}, {"small": 9}, {"small": 9}, {"small": 4}], first={"small": 8})
    world = run(planned(rule), 200)
    assert world.plan_changes_s == [rule.asked_at_s[1], rule.asked_at_s[3]]


def test_the_pause_begins_when_the_new_pods_have_taken_over() -> None:
    rule = Said([{"small": 9}], first={"small": 8})
    run(planned(rule), 120)
    first_s, second_s = rule.asked_at_s[:2]
    assert second_s - first_s == pytest.approx(START_S + 30, abs=0.5)


def test_a_resize_is_a_new_pod_and_the_old_one_ends_only_when_that_is_ready() -> None:
    rule = Said([{"small": 4}], first={"small": 8})
    world = run(planned(rule), 60)
    started_s = starts(world)[0][0]
    ended = [held for held in world.held if not held.millicores]
    assert [held.slot for held in ended] == [0]
    assert ended[0].at_s >= started_s + START_S


def test_seeds_differ_in_when_the_rounds_fall() -> None:
    first_s = set()
    for seed in range(20):
        rule = Said([{"small": 8}], first={"small": 8})
        run(planned(rule), 60, seed)
        first_s.add(rule.asked_at_s[0])
    assert len(first_s) == 20
    assert min(first_s) < 10 < 20 < max(first_s) < 31


def test_what_stays_as_it_is_keeps_its_pod() -> None:
    rule = Said([{"small": 4, "large": 4}], first={"small": 4})
    world = run(planned(rule), 60)
    assert [pod.slot for pod in world.pods] == [0, 1]


def test_capacity_never_drops_below_both_plans() -> None:
    wanted = [{"small": 2}, {"large": 6, "small": 3}, {"large": 3}, {"small": 7}, {"large": 5}]
    least_rps = 10 * min(sum(cores.values()) for cores in (*wanted, {"small": 8}))
    rule = Said(wanted, first={"small": 8})
    policy = planned(rule)
    serving: list[float] = []

    class Watching:
        name = "watching"
        begin, queue_limits = policy.begin, policy.queue_limits

        def next_act_s(self, now_s: float) -> float:
            return now_s + 0.1

        def act(self, world: World) -> None:
            served = [p for p in world.pods if p.ready and p.name in world.weights]
            serving.append(
                sum(world.scenario.capacity_rps(p.target.variant, p.size) for p in served)
            )
            if world.now_s >= self.due_s:
                policy.act(world)
                self.due_s = policy.next_act_s(world.now_s)

        due_s = 0.0

    arrivals_s = np.arange(0, 300, 0.05)
    workload = Workload(
        name="steady", arrivals_s=arrivals_s, seconds=300, history_rps=flat_history(20)
    )
    world = simulate(Watching(), SCENARIO, workload, 1)
    assert min(serving) == least_rps
    assert (world.traffic.slot_of >= 0).all()
    assert len(rule.asked_at_s) >= 5


def test_the_router_gets_what_is_planned_of_each_variant() -> None:
    rule = Said([{"large": 2, "small": 8}], first={"large": 2, "small": 8})
    policy = planned(rule)
    world = world_of_requests(SCENARIO, np.empty(0), flat_history(100), 1, 0)
    policy.begin(world, 100.0)
    assert world.weights == {"large-0": 20, "small-1": 80}
