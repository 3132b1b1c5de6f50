"""
The same networks in one pod: a scenario whose only variant has the variants of another as operating
points.

Nothing is measured again. A pod serves each network as fast as a pod of that size served it alone;
resident networks switch at no cost; loading takes as long as all of them together.
"""

from collections.abc import Sequence
from dataclasses import replace

from infadapter_profiles.frontier import Served, allocation_of
from infadapter_profiles.grouped import NotGroupable, grouped
from infadapter_simulator.scenario import PodSpeed, PointSpeed, Scenario
from infadapter_simulator.speeds import servers_of
from infadapter_solver import Allocation, PodSize, Variant

GROUPED = "grouped"
"""Name of the variant."""


def in_one_pod(scenario: Scenario) -> Scenario:
    """Return the scenario, with the sizes that all variants have. Raises NotGroupable."""
    one = grouped(GROUPED, [scenario.profiles[variant.name] for variant in scenario.variants])
    sizes = _common_sizes(scenario.variants)
    if not sizes:
        raise NotGroupable("no size that all variants have fits: give more --budget.")
    allocations = tuple(_allocation(scenario, size) for size in sizes)
    variant = Variant(
        name=GROUPED,
        accuracy=one.accuracy,
        load_time_s=one.load_time_s,
        allocations=allocations,
    )
    return replace(
        scenario,
        variants=(variant,),
        speeds={(GROUPED, a.size): _speed(scenario, a) for a in allocations},
        profiles={GROUPED: one},
    )


def beside(scenario: Scenario, other: Scenario) -> Scenario:
    """Return a scenario with the variants of both."""
    return replace(
        scenario,
        variants=(*scenario.variants, *other.variants),
        speeds={**scenario.speeds, **other.speeds},
        profiles={**scenario.profiles, **other.profiles},
    )


def _common_sizes(variants: Sequence[Variant]) -> list[PodSize]:
    offered = [{a.size for a in variant.allocations} for variant in variants]
    return [a.size for a in variants[0].allocations if all(a.size in own for own in offered)]


def _allocation(scenario: Scenario, size: PodSize) -> Allocation:
    served = (
        Served(variant.name, variant.accuracy, scenario.capacity_rps(variant.name, size))
        for variant in scenario.variants
    )
    return allocation_of(size, served)


def _speed(scenario: Scenario, allocation: Allocation) -> PodSpeed:
    if not allocation.points:
        return scenario.speed(scenario.variants[0].name, allocation.size)  # nothing is sent there
    alone = {v.name: scenario.speed(v.name, allocation.size) for v in scenario.variants}
    points = [PointSpeed(p.accuracy, alone[p.name].service_s) for p in allocation.points]
    return PodSpeed.mixing(servers_of(allocation), points)
