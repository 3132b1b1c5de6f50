"""Bursty and time-varying workloads, and a trace: policies beside each other and fixed SubNets."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from infadapter_scheduler import Arrival
from infadapter_simulator.reproduction.result import Line, Panel, Result, percent
from infadapter_simulator.reproduction.superserve.asked import Asked
from infadapter_simulator.reproduction.superserve.comparison import (
    HEAD,
    Both,
    Load,
    claims,
    compared,
    rows,
)
from infadapter_simulator.reproduction.superserve.fluid import fluid_accuracy
from infadapter_simulator.reproduction.superserve.ladder import (
    CAPACITY_RPS,
    GPUS,
    SLO_S,
    fraction,
    subnet,
    supernet,
)
from infadapter_simulator.reproduction.superserve.serving import CHOOSING
from infadapter_simulator.reproduction.superserve.workload import bursty, rising, traced

BASE_RPS, VARIANT_RPS, CV2 = 1500, (2950, 4900, 5550), (2, 4, 8)
FIRST_RPS, LAST_RPS, BY_RPS2, RISING_CV2 = 2500, (4800, 6800, 7800), (250, 500, 5000), 8
PEAK_RPS = 8750
"""Busiest second of the paper's trace, close to what the smallest SubNet can serve."""


def bursty_workloads(asked: Asked) -> Result:
    loads = {
        f"{BASE_RPS:,} + {variant:,} r/s, CV² {cv2}": _bursty(asked, variant, cv2)
        for variant in VARIANT_RPS
        for cv2 in CV2
    }
    published = (
        "Published: over 99.9 % on time everywhere, 4.33 points more accurate at 99.99 %, 2.06 "
        "times as often on time; at 7,050 r/s SlackFit 99.9 %, MaxBatch up to 5 % less at CV² 8, "
        "MaxAcc never drains; the lowest accuracy is always on time."
    )
    return _result("bursty", "Bursty workloads", loads, published, asked)


def rising_workloads(asked: Asked) -> Result:
    loads = {
        f"{FIRST_RPS:,} → {last:,} r/s, {by:,} r/s²": _rising(asked, last, by)
        for last in LAST_RPS
        for by in BY_RPS2
    }
    published = (
        "Published: 99.1 to 100 % on time; the fixed 79.44 begins to diverge as the rate rises "
        "faster (6,800) and higher (250 r/s²); served accuracy falls from 79.2 to 77.5."
    )
    return _result("time-varying", "Time-varying workloads, CV² 8", loads, published, asked)


def real_trace(asked: Asked) -> Result:
    """Run the trace compressed to these minutes, its busiest second at the paper's peak."""
    rates = np.asarray(asked.rates_rps, dtype=float)
    scaled = (rates * PEAK_RPS / rates.max()).tolist()
    step_s = asked.seconds / len(scaled)
    load = partial(_traced, scaled, step_s, asked)
    limit = fluid_accuracy(supernet(), GPUS, scaled, 2 * SLO_S)
    published = (
        "Published, of 24 hours of Azure's functions in 120 s (mean 6,400 r/s, peaks 8,750): "
        "99.999 % on time, 4.67 of 6.34 points more accurate, 2.85 times as often on time. The "
        f"fluid limit of this trace, the best mixture for each second's rate, is {limit:.2f} %."
    )
    name = f"mean {np.mean(scaled):,.0f}, peak {PEAK_RPS:,} r/s"
    return _result("trace", "A real trace, Poisson", {name: load}, published, asked)


def _traced(rates_rps: list[float], step_s: float, asked: Asked) -> Iterator[Arrival]:
    return traced(rates_rps, 1.0, step_s, asked.draw())


def _bursty(asked: Asked, variant_rps: float, cv2: float) -> Load:
    return lambda: bursty(BASE_RPS, variant_rps, cv2, asked.seconds, asked.draw())


def _rising(asked: Asked, last_rps: float, by_rps2: float) -> Load:
    return lambda: rising(FIRST_RPS, last_rps, by_rps2, RISING_CV2, asked.seconds, asked.draw())


def _result(
    name: str, title: str, loads: Mapping[str, Load], published: str, asked: Asked
) -> Result:
    found: dict[str, Mapping[str, Both]] = {}
    for number, (workload, load) in enumerate(loads.items()):
        asked.tell(number, len(loads))
        found[workload] = compared(load)
    said = (
        published,
        *(claims(workload, both) for workload, both in found.items()),
        f"{asked.seconds:g} s of virtual time each; {calibration()}",
    )
    table = [row for workload, both in found.items() for row in rows(workload, both)]
    return Result(
        name, title, HEAD, table, panels(found), "workload, in the order of the table", said
    )


def calibration() -> str:
    smallest, largest = min(CAPACITY_RPS.values()), max(CAPACITY_RPS.values())
    alone_s = subnet(max(CAPACITY_RPS)).execution_s[1]
    return (
        "calibrated to the orderings printed, as no latency table is: capacities from "
        f"{smallest:,} to {largest:,} r/s on eight GPUs (1,000 r/s are "
        f"{percent(fraction(1000), 0)} % of the smallest SubNet's), an SLO of "
        f"{1000 * SLO_S:g} ms = {SLO_S / alone_s:.1f} × what the largest takes alone."
    )


def panels(found: Mapping[str, Mapping[str, Both]]) -> list[Panel]:
    at = range(1, len(found) + 1)
    return [
        Panel(
            "On time, %, behind admission",
            [
                Line(name, at, [100 * both[name].admitted.attainment for both in found.values()])
                for name in CHOOSING
            ],
        ),
        Panel(
            "Accuracy of those, %, above 70",
            [
                Line(name, at, [both[name].admitted.accuracy - 70 for both in found.values()])
                for name in CHOOSING
            ],
        ),
    ]
