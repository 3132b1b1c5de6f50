"""Virtual time: a policy answers arrivals, a list of them or a source, on emulated executors."""

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
    """Each arrival's fate, in the order of the arrivals, which must be that of time."""
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
    """As many arrivals as the source has, which may depend on the answers; none is remembered."""
    emulation = Emulation(policy, world, settled)
    while True:
        next_s = source.next_s()
        if emulation.step(next_s):
            continue
        if next_s == inf:
            return
        watch(emulation, next_s)
        emulation.arrive(source.take())
