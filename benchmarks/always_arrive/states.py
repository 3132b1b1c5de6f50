"""The states: what runs, what is wanted, what comes, and what stands in the way."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks.always_arrive.leaving import leavings
from benchmarks.always_arrive.loads import paper, plain, scenario_of, sized, steps
from benchmarks.always_arrive.playing import Running, State
from infadapter_local.cgroups import Quotas
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import demo_service, highest_rps
from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.service import Service
from infadapter_simulator.part import Part
from infadapter_simulator.policies.ours import service_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.faults import Faults, Quota, Spell
from infadapter_solver import CPU, Allocation, PodSize
from infadapter_workload.synthetic import parse_synthetic

GLYPH_SIZES = {"glyph-1": (400, 156.7), "glyph-2": (600, 129.9), "glyph-3": (1000, 111.8)}
"""Millicores and capacities, as a slow machine was once found to have them."""

SLOW_START_S = 14.0
NO_IMAGE = "ErrImagePull: manifest unknown"
NO_REGISTRY = "ErrImagePull: dial tcp: connection refused"
TROUBLES = {
    "image can't be pulled": Spell(variant="bad", cause=Cause.IMAGE, message=NO_IMAGE),
    "crash loop": Spell(variant="bad", cause=Cause.CRASH, message="container ends with code 1"),
    "wrong port": Spell(variant="bad", cause=Cause.NOT_READY, message="connection refused"),
}


def all_states() -> Iterator[State]:
    yield from traps()
    yield overload()
    yield from exchanges()
    yield from troubles()
    yield from levels()
    yield from resizes()
    yield lost_node()
    yield swings()
    yield from from_nothing()
    yield churn()
    yield from rises()
    yield registry_down()
    yield from leavings()
    yield from within_quotas()


def traps() -> Iterator[State]:
    """Budget and surge are full of pods that are not planned and carry all there is."""
    service = _glyphs(budget_millicores=800)
    variants = tuple(
        replace(
            variant,
            allocations=(Allocation(size=PodSize(resources={CPU: size}), capacity_rps=rps),),
        )
        for variant in service.variants
        if variant.name in GLYPH_SIZES
        for size, rps in [GLYPH_SIZES[variant.name]]
    )
    sizes = {variant.name: variant.allocations[0] for variant in variants}
    service = replace(service, variants=variants, profiles={})
    for demand_rps in (230, 240, 260):
        yield State(
            name=f"1 full of what carries, {demand_rps} rps",
            service=service,
            scenario=scenario_of(service),
            workload=steps((60, demand_rps), (120, demand_rps), from_s=60),
            running=tuple(
                Running(variant=name, allocation=sizes[name]) for name in ("glyph-3", "glyph-2")
            ),
            cycle_s=0.25,
        )


def overload() -> State:
    workload = steps((120, 40.0), (360, 400.0), from_s=115)
    return _of("2 ten times the load, to stay", paper(8), workload, event_s=5.0)


def exchanges() -> Iterator[State]:
    """A better variant, eight pods for eight or for one large one."""
    workload = steps((60, 150.0), (240, 150.0), from_s=60)
    places = [(f"surge {cores}", cores, None) for cores in (0, 1, 8)]
    for (words, surge, node), (what, cores) in product(
        [*places, ("one core spare", 8, 9000)], [("eight", 1), ("one of 8", 8)]
    ):
        scenario = plain(
            {"old": (0.6, (1,)), "new": (0.9, (cores,))},
            surge_cores=surge,
            faults=Faults(node_millicores=node),
        )
        old = Running(variant="old", allocation=sized(1), pods=8)
        yield _of(f"3 eight pods for {what}, {words}", scenario, workload, running=(old,))


def troubles() -> Iterator[State]:
    """The more accurate variant never comes."""
    faults = {words: Faults(never_ready=(spell,)) for words, spell in TROUBLES.items()}
    quota = Spell(variant="bad", message="exceeded quota: team")
    faults["refused by a quota"] = Faults(refused=(quota,))
    workload = steps((60, 30.0), (600, 30.0), from_s=60)
    for words, fault in faults.items():
        scenario = plain({"good": (0.7, (1, 2, 4)), "bad": (0.9, (1, 2, 4))}, faults=fault)
        good = Running(variant="good", allocation=sized(2))
        yield _of(f"4 {words}", scenario, workload, running=(good,))


def levels(
    cores: tuple[int, ...] = (4, 6, 8),
    troubles: tuple[str, ...] = tuple(TROUBLES),
    *,
    until_s: float = math.inf,
    surge_cores: int | None = None,
) -> Iterator[State]:
    """The more accurate variant never comes, or not before a time, while the load changes."""
    for budget, rates, words in product(cores, ((30, 60, 90), (30, 90, 30)), troubles):
        spell = replace(TROUBLES[words], until_s=until_s)
        scenario = plain(
            {"good": (0.7, (1, 2, 4)), "bad": (0.9, (1, 2, 4))},
            budget_cores=budget,
            surge_cores=surge_cores,
            faults=Faults(never_ready=(spell,)),
        )
        workload = steps((60, rates[0]), *((300, rps) for rps in rates), from_s=60)
        good = Running(variant="good", allocation=sized(2))
        name = f"4 {words}, {budget} cores, {', '.join(map(str, rates))} rps"
        yield _of(name, scenario, workload, running=(good,))


def resizes() -> Iterator[State]:
    """While the load rises, the size that would do is not to be had in place."""
    workload = steps((60, 30.0), (60, 30.0), (30, 70.0), (300, 100.0), from_s=60)
    places = {
        "a resize that fails": ((2, 3, 4, 6), 1, Faults(stuck_resizes=(Spell(variant="a"),))),
        "a resize that is deferred": ((2, 3), 2, Faults(node_millicores=5000)),
        "a resize beyond its node": ((2, 3, 4, 6), 1, Faults(node_millicores=5000)),
    }
    for words, (cores, pods, faults) in places.items():
        scenario = plain({"a": (0.7, cores)}, faults=faults)
        running = (Running(variant="a", allocation=sized(2), pods=pods),)
        yield _of(f"5 {words}", scenario, workload, running=running, event_s=60.0)


def lost_node() -> State:
    faults = Faults(lost_nodes=(Spell(variant="a", from_s=60.0),))
    scenario = plain({"a": (0.7, (1, 2, 4))}, faults=faults)
    workload = steps((60, 15.0), (500, 15.0), from_s=60)
    return _of("6 the node of the only pod is lost", scenario, workload, event_s=60.0)


def swings() -> State:
    scenario = paper(20)
    turns = [(30, 5.0), (30, 30.0)] * 5
    workload = steps((60, 5.0), *turns, from_s=160)
    service = replace(service_of(scenario), stabilization_s=60.0)
    return _of("7 5 and 30 rps in turn", scenario, workload, service=service)


def from_nothing() -> Iterator[State]:
    for rps in (150.0, 40.0):
        workload = steps((300, 0.0), (30, 0.0), (120, rps), from_s=300)
        yield _of(f"8 from 0 to {rps:g} rps", paper(20), workload, event_s=30.0)


def churn() -> State:
    trace = parse_synthetic("synthetic:bursty:1")
    assert trace is not None
    workload = Part(trace=trace, from_s=0, to_s=1200).workload(0)
    return _of("9 bursts, 1200 s", paper(20), workload)


def rises() -> Iterator[State]:
    """Pods take long to be Ready, and the surge is what there may be of them meanwhile."""
    for surge in (0, 300, 600):
        service = replace(_glyphs(budget_millicores=900), max_surge={CPU: surge})
        slow = tuple(replace(v, load_time_s=SLOW_START_S) for v in service.variants)
        service = replace(service, variants=slow)
        most_rps = highest_rps(service)
        yield State(
            name=f"10 25 to 85 % of the most, surge {surge}m",
            service=service,
            scenario=scenario_of(service),
            workload=steps((120, 0.25 * most_rps), (180, 0.85 * most_rps), from_s=60),
            event_s=60.0,
            cycle_s=0.25,
        )


def registry_down() -> State:
    """For ten minutes no pod of any variant can pull its image, and the load doubles in them."""
    variants: dict[str, tuple[float, tuple[int, ...]]] = {
        "fast": (0.6, (1, 2)),
        "middle": (0.7, (1, 2)),
        "exact": (0.8, (1, 2)),
    }
    spells = tuple(
        Spell(variant=name, from_s=60.0, until_s=660.0, cause=Cause.IMAGE, message=NO_REGISTRY)
        for name in variants
    )
    scenario = plain(variants, faults=Faults(never_ready=spells))
    workload = steps((100, 30.0), (300, 100.0), (560, 140.0), from_s=60)
    return _of("11 a registry down for ten minutes", scenario, workload, event_s=60.0)


def within_quotas() -> Iterator[State]:
    """As 3 and 10 where a quota is the budget; surge is asked for at the default, all of that."""
    places = {
        "3 eight pods for eight, surge 8": "eight pods for eight",
        "3 eight pods for one of 8, surge 8": "eight pods for one of 8",
        "10 25 to 85 % of the most, surge 600m": "25 to 85 % of the most",
    }
    for state in (*exchanges(), *rises()):
        if words := places.get(state.name):
            budget = state.service.budget
            faults = Faults(quota=Quota(millicores=budget[CPU]))
            yield replace(
                state,
                name=f"13 within a quota, {words}",
                service=replace(state.service, max_surge=budget),
                scenario=replace(state.scenario, max_surge=budget, faults=faults),
            )


def _glyphs(budget_millicores: int) -> Service:
    return demo_service(shipped_profiles(), budget_millicores, Quotas(Path()))


def _of(
    name: str,
    scenario: Scenario,
    workload: Workload,
    *,
    service: Service | None = None,
    running: tuple[Running, ...] = (),
    event_s: float = 0.0,
) -> State:
    return State(
        name=name,
        service=service or service_of(scenario),
        scenario=scenario,
        workload=workload,
        running=running,
        event_s=event_s,
    )
