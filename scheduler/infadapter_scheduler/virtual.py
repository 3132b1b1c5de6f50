"""Run a policy in virtual time on emulated executors, with a list or source of arrivals."""

from collections.abc import Callable, Sequence
from math import inf

from infadapter_scheduler.emulation import Emulation
from infadapter_scheduler.policy import Policy
from infadapter_scheduler.world import Arrival, Served, Settled, Source, World

Progress = Callable[[int, int], None]


def replay(
    policy: Policy,
    arrivals: Sequence[Arrival],
    world: World,
    progress: Progress = lambda done, total: None,
) -> list[Served]:
    """Return the fate of each arrival. Arrivals must be in order of time."""
    emulation = Emulation(policy, world)
    fates: list[Served] = []
    for number, arrival in enumerate(arrivals):
        while emulation.step(arrival.arrival_s):
            pass
        fates.append(emulation.arrive(arrival))
        if number % 4096 == 0:
            progress(number, len(arrivals))
    while emulation.step(inf):
        pass
    return fates


def emulate(
    policy: Policy,
    source: Source,
    world: World,
    settled: Settled,
    watch: Callable[[Emulation, float], None] = lambda emulation, now_s: None,
) -> None:
    """Process all arrivals of a source, which may depend on the answers; none is remembered."""
    emulation = Emulation(policy, world, settled)
    while True:
        next_s = source.next_s()
        if emulation.step(next_s):
            continue
        if next_s == inf:
            return
        watch(emulation, next_s)
        emulation.arrive(source.take())
