"""Queries of varying locality: every system on the same streams, with two buffer sizes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from infadapter_scheduler.subgraphs import BackEnd, Strict
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
    "Means over all queries, with the time and the bytes of refilling the buffer. In a row: so "
    "many queries, in the mean, ask for about one SubNet.",
    "Static cache: the SubGraph of least latency over all SubNets. Cache ignored: SubNets are "
    "chosen as if nothing were cached. Pruned: without SubGraphs that another one beats for all "
    "SubNets. By the table: ours, the SubGraph with which the last Q queries would have taken "
    "least time. Oracle: the best SubGraphs in hindsight.",
)
HEAD = [
    "buffer MB", "strict", "in a row", "system",
    "latency ms", "saved %", "fetched MB", "bytes saved %", "hits %", "accuracy %", "met %",
]  # fmt: skip


class Case(NamedTuple):
    buffer_bytes: int
    strict: Strict
    dwell: float


Found = Mapping[Case, Mapping[str, Measured]]


def run(supernet: str, asked: Asked) -> Result:
    machine, nets = MACHINES[supernet], subnets(supernet)
    back_ends = {
        size: simulated(nets, replace(machine, buffer_bytes=size), CANDIDATES)
        for size in (machine.buffer_bytes, LARGE_BYTES[supernet])
    }
    found = found_of(back_ends, asked)
    said = (SIMULATED, *SAID, many(asked))
    title, axis = f"{SAYS[supernet]}, simulated", "in a row"
    return Result(
        supernet, title, HEAD, rows_of(found), panels_of(found, "simulated"), axis, said, True
    )


def found_of(back_ends: Mapping[int, BackEnd], asked: Asked) -> Found:
    """Return the results of every system on the same streams, by buffer size."""
    cases, found = [Case(*case) for case in product(back_ends, Strict, DWELLS)], {}
    for number, case in enumerate(cases):
        asked.tell(number, len(cases))
        of, draw = (
            back_ends[case.buffer_bytes],
            asked.draw(list(Strict).index(case.strict), int(case.dwell)),
        )
        queries = stream(of.table, case.strict, case.dwell, asked.queries, draw)
        found[case] = served(of, EVERY, queries)
    return found


def many(asked: Asked) -> str:
    return f"Q {EVERY}, at most {CANDIDATES} SubGraphs, {asked.queries:,} queries a stream."


def rows_of(found: Found) -> list[list[str]]:
    return [
        row(case, name, one, by_system[NO_CACHE])
        for case, by_system in found.items()
        for name, one in by_system.items()
    ]


def row(case: Case, name: str, one: Measured, none: Measured) -> list[str]:
    return [
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
"""A measure of a system relative to that without a cache."""


def panels_of(found: Found, how: str) -> list[Panel]:
    """Return the panels; `how` is simulated or measured."""
    sizes = dict.fromkeys(case.buffer_bytes for case in found)
    return [panel for size in sizes for panel in _panels(found, size, how)]


def _panels(found: Found, size: int, how: str) -> Iterator[Panel]:
    shown: tuple[tuple[Strict, str, Value], ...] = (
        (Strict.ACCURACY, "Latency saved, %", lambda a, b: saved(a.latency_ms, b.latency_ms)),
        (Strict.LATENCY, "Accuracy gained, points", lambda a, b: 100 * (a.accuracy - b.accuracy)),
    )
    for strict, what, value in shown:
        cases = [found[Case(size, strict, dwell)] for dwell in DWELLS]
        yield Panel(
            f"{what} ({strict}, buffer of {size / 1e6:.1f} MB, {how})",
            [
                Line(name, DWELLS, [value(case[name], case[NO_CACHE]) for case in cases])
                for name in SYSTEMS
                if name != NO_CACHE
            ],
        )
