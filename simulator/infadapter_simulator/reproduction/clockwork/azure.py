"""
§6.5: the Azure-shaped trace with 4,026 instances of 61 networks on six GPUs, and an SLO of 100 ms.

In the authors' mapping (blocks) the hottest functions call the first networks by name, which are
small. With an even mapping (striped) six GPUs can serve about a third of that rate.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from infadapter_scheduler import Model, Stream, World, of_both_sides
from infadapter_simulator.reproduction.clockwork.asked import LAG_S, Asked, policy_of
from infadapter_simulator.reproduction.clockwork.azure_trace import Trace, rates_rps
from infadapter_simulator.reproduction.clockwork.drive import Sampler, drive
from infadapter_simulator.reproduction.clockwork.needed import executors_needed
from infadapter_simulator.reproduction.clockwork.table import by_name, copies, networks
from infadapter_simulator.reproduction.clockwork.tally import Tally
from infadapter_simulator.reproduction.result import (
    UNPUBLISHED,
    Line,
    Panel,
    Result,
    milliseconds,
    percent,
)

GPUS, PAGES, SLO_S = 6, 1376, 0.1
TYPES, COPIES, FUNCTIONS_EACH = 61, 66, 4.5
RATE_RPS, STRIPED_SHARE = 9638.0, 0.7
LONGER_P99_S, SHORTER_P99_S = 55e-6, 144e-6
BINS = 40
COLD_S, COLD_SHARE = 60.0, 1 / 5
"""
Duration of the warm-up that is not counted, s, and its share of short runs. Memories are empty at
first, and everything called is loaded at once. The paper leaves out ten minutes of eight hours.
"""

QUANTILES = {"p50 ms": 0.5, "p99 ms": 0.99, "p99.99 ms": 0.9999, "p99.9999 ms": 0.999999}


def run(asked: Asked) -> Result:
    types = _types(asked.table or networks())
    models = [copy for model in types for copy in copies(model, COPIES, model.name)]
    rates = {"blocks": RATE_RPS, "striped": STRIPED_SHARE * capacity_rps(types)}
    traces = {name: _trace(models, name, rate) for name, rate in rates.items()}
    tallies = {name: _tally(asked, models, trace) for name, trace in traces.items()}
    said = (
        "The trace is generated in the shape of Azure's; "
        f"{len(asked.table or networks())} networks of the published table stand for its 61.",
        "Errors of predictions as published: 99 in 100 runs take at most "
        f"{1e6 * LONGER_P99_S:.0f} µs longer or {1e6 * SHORTER_P99_S:.0f} µs shorter. The 58 "
        "mistimed actions of the paper's 208 million requests aren't rebuilt.",
        f"Striped: {STRIPED_SHARE:g} of the {capacity_rps(types):,.0f} r/s that six GPUs serve of "
        "all networks alike in batches of 16. Warm: without the first minute (of short runs, the "
        "first fifth), in which all weights are loaded. GPUs needed: "
        f"if each batch took all that comes for its model in 85 ms. Figure 9: {UNPUBLISHED}.",
    )
    head = [
        "mapping", "requests", "r/s", "GPUs needed", "in 100 ms, % of all", "warm, %", "late",
        "refused", "cancelled", *QUANTILES, "max ms", "cold %", "batch",
    ]  # fmt: skip
    published = ["published (blocks)", "208 million", "9,638", "", "99.9999", "", "0"]
    rows = [_row(asked, name, _needed(models, traces[name]), tallies[name]) for name in traces]
    rows.append(published + [""] * (len(head) - len(published)))
    return Result("6.5", "The Azure trace", head, rows, _panels(tallies), "seconds", said)


def capacity_rps(types: Sequence[Model]) -> float:
    """Return the rate that the GPUs serve of all networks equally, in the largest batches."""
    each_s = [min(t / b for b, t in model.execution_s.items()) for model in types]
    return GPUS * len(each_s) / sum(each_s)


def _types(known: Sequence[Model]) -> list[Model]:
    """Return 61 networks by name; if fewer are known, some are used several times."""
    ordered = sorted(known, key=lambda model: model.name)
    if len(ordered) >= TYPES:
        return ordered[:TYPES]
    stand_in = [ordered[number * len(ordered) // TYPES] for number in range(TYPES)]
    return [replace(m, name=f"{m.name}/{number:02}") for number, m in enumerate(stand_in)]


def _trace(models: Sequence[Model], mapping: str, rate_rps: float) -> Trace:
    return Trace(
        rates_rps=rates_rps(int(FUNCTIONS_EACH * len(models)), rate_rps),
        instances=[model.name for model in models],
        striped=mapping == "striped",
    )


def _tally(asked: Asked, models: Sequence[Model], trace: Trace) -> Tally:
    source = Stream(trace.arrivals(asked.minutes, SLO_S, asked.draw(trace.striped)))
    deviation = of_both_sides(LONGER_P99_S, SHORTER_P99_S)
    world = World(by_name(list(models)), GPUS, PAGES, LAG_S, deviation, asked.seed)
    tally = Tally(asked.seconds / BINS)
    sampler = Sampler(1.0, asked.seconds, asked.tell)
    drive(policy_of("infadapter", models), source, world, tally.settled, sampler)
    return tally


def _row(asked: Asked, name: str, needed: float, tally: Tally) -> list[str]:
    counts, warm = tally.of(), tally.of(at=range(_cold_bins(asked), BINS))
    return [
        name,
        f"{counts.arrivals:,}",
        f"{counts.arrivals / asked.seconds:,.0f}",
        f"{needed:.1f} of {GPUS}",
        percent(counts.share, 4),
        percent(warm.share, 4),
        str(counts.late),
        f"{counts.refused:,}",
        str(counts.cancelled),
        *(milliseconds(counts.latency_s(share)) for share in QUANTILES.values()),
        milliseconds(counts.longest_s),
        percent(counts.cold / max(1, counts.answered), 3),
        f"{counts.mean_batch:.1f}",
    ]


def _needed(models: Sequence[Model], trace: Trace) -> float:
    by_function = zip(trace.instance_of(), trace.rates_rps.tolist(), strict=True)
    return executors_needed(by_name(list(models)), by_function)


def _cold_bins(asked: Asked) -> int:
    return ceil(BINS * min(COLD_SHARE, COLD_S / asked.seconds))


def _panels(tallies: dict[str, Tally]) -> list[Panel]:
    def panel(title: str, of: str) -> Panel:
        return Panel(title, [Line(name, *_line(tally, of)) for name, tally in tallies.items()])

    return [
        panel("Offered, r/s", "offered"),
        panel("Not within 100 ms, of a million", "missed"),
        panel("P99.99 of the answered, ms", "p99.99"),
        panel("Cold starts, %", "cold"),
    ]


def _line(tally: Tally, of: str) -> tuple[list[float], list[float]]:
    numbers = tally.numbers()
    found = []
    for number in numbers:
        counts = tally.of(at=range(number, number + 1))
        found.append(
            {
                "offered": counts.arrivals / tally.bin_s,
                "missed": 1e6 * (1 - counts.share),
                "p99.99": 1000 * counts.latency_s(0.9999),
                "cold": 100 * counts.cold / max(1, counts.answered),
            }[of]
        )
    return [number * tally.bin_s for number in numbers], found
