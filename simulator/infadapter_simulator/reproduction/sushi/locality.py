"""Queries of varying locality: every system on the same streams, with two sizes of the buffer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from infadapter_scheduler.subgraphs import Strict
from infadapter_simulator.accelerator.networks import subnets
from infadapter_simulator.accelerator.simulated import simulated
from infadapter_simulator.reproduction.result import Line, Panel, Result
from infadapter_simulator.reproduction.sushi.asked import (
    CANDIDATES,
    EVERY,
    LARGE_BYTES,
    MACHINES,
    SAYS,
    SIMULATED,
    Asked,
    saved,
)
from infadapter_simulator.reproduction.sushi.streams import stream
from infadapter_simulator.reproduction.sushi.systems import NO_CACHE, SYSTEMS, Measured, served

DWELLS = (1.0, 16.0, 256.0)
SAID = (
    f"{SIMULATED} Means over all queries, with the time and the bytes of refilling the buffer.",
    "In a row: so many queries, in the mean, ask for about one SubNet. Static cache: the SubGraph "
    "of least latency over all SubNets. Cache ignored: SubNets are chosen as if nothing were "
    "cached. Pruned: no SubGraph that another one beats for all SubNets. By the table: ours, the SubGraph with which the last Q queries would have taken least "
    "time. Oracle: the best SubGraphs in hindsight.",
)
HEAD = [
    "buffer MB",
    "strict",
    "in a row",
    "system",
    "latency ms",
    "saved %",
    "off-chip MB",
    "bytes saved %",
]
HEAD += ["hits %", "accuracy %", "met %"]


class Case(NamedTuple):
    buffer_bytes: int
    strict: Strict
    dwell: float


Found = Mapping[Case, Mapping[str, Measured]]


def run(supernet: str, asked: Asked) -> Result:
    sizes = (MACHINES[supernet].buffer_bytes, LARGE_BYTES[supernet])
    cases = [Case(*case) for case in product(sizes, Strict, DWELLS)]
    found = {}
    for number, case in enumerate(cases):
        asked.tell(number, len(cases))
        found[case] = _served(supernet, case, asked)
    many = f"Q {EVERY}, at most {CANDIDATES} SubGraphs, {asked.queries:,} queries a stream."
    title, rows = f"{SAYS[supernet]}, simulated", list(_rows(found))
    panels = [panel for size in sizes for panel in _panels(found, size)]
    return Result(supernet, title, HEAD, rows, panels, "in a row", (*SAID, many), True)


def _served(supernet: str, case: Case, asked: Asked) -> Mapping[str, Measured]:
    machine = replace(MACHINES[supernet], buffer_bytes=case.buffer_bytes)
    of = simulated(subnets(supernet), machine, CANDIDATES)
    draw = asked.draw(list(Strict).index(case.strict), int(case.dwell))
    return served(of, EVERY, stream(of.table, case.strict, case.dwell, asked.queries, draw))


def _rows(found: Found) -> Iterator[list[str]]:
    for case, by_system in found.items():
        none = by_system[NO_CACHE]
        for name, one in by_system.items():
            yield [
                f"{case.buffer_bytes / 1e6:.2f}",
                case.strict.removeprefix("strict_"),
                f"{case.dwell:g}",
                name,
                f"{one.latency_ms:.3f}",
                f"{saved(one.latency_ms, none.latency_ms):.1f}",
                f"{one.traffic_mb:.2f}",
                f"{saved(one.traffic_mb, none.traffic_mb):.1f}",
                f"{100 * one.hit_ratio:.1f}",
                f"{100 * one.accuracy:.2f}",
                f"{100 * one.met:.1f}",
            ]


Value = Callable[[Measured, Measured], float]
"""Of a system, and of no cache."""


def _panels(found: Found, size: int) -> Iterator[Panel]:
    shown: tuple[tuple[Strict, str, Value], ...] = (
        (Strict.ACCURACY, "Latency saved, %", lambda a, b: saved(a.latency_ms, b.latency_ms)),
        (Strict.LATENCY, "Accuracy gained, points", lambda a, b: 100 * (a.accuracy - b.accuracy)),
    )
    for strict, what, value in shown:
        cases = [found[Case(size, strict, dwell)] for dwell in DWELLS]
        yield Panel(
            f"{what} ({strict}, buffer of {size / 1e6:.1f} MB, simulated)",
            [
                Line(name, DWELLS, [value(case[name], case[NO_CACHE]) for case in cases])
                for name in SYSTEMS
                if name != NO_CACHE
            ],
        )
