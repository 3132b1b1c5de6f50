"""Sweeps of one parameter at a time: Q, number of SubGraphs, buffer, bandwidth, computing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infadapter_scheduler.subgraphs import Strict
from infadapter_simulator.accelerator.networks import subnets
from infadapter_simulator.accelerator.simulated import simulated
from infadapter_simulator.reproduction.result import Line, Panel, Result
from infadapter_simulator.reproduction.sushi.asked import (
    CANDIDATES,
    DWELL,
    EVERY,
    LARGE_BYTES,
    MACHINES,
    SAYS,
    SIMULATED,
    Asked,
    saved,
)
from infadapter_simulator.reproduction.sushi.lookup import lookup_us
from infadapter_simulator.reproduction.sushi.settings import SWEEPS, Setting, Sweep
from infadapter_simulator.reproduction.sushi.streams import stream
from infadapter_simulator.reproduction.sushi.systems import (
    NO_CACHE,
    PRUNED,
    SYSTEMS,
    Measured,
    served,
)

CACHED = [name for name in SYSTEMS if name != NO_CACHE]


@dataclass(frozen=True, slots=True)
class Found:
    supernet: str
    value: float
    subgraphs: int
    strict_accuracy: Mapping[str, Measured]
    strict_latency: Mapping[str, Measured]
    lookup_us: tuple[float, float] | None

    def latency_saved(self, system: str) -> float:
        by = self.strict_accuracy
        return saved(by[system].latency_ms, by[NO_CACHE].latency_ms)


def run(name: str, asked: Asked) -> Result:
    sweep = SWEEPS[name]
    points = [(supernet, value) for supernet in MACHINES for value in sweep.values[supernet]]
    found = []
    for number, (supernet, value) in enumerate(points):
        asked.tell(number, len(points))
        found.append(_at(sweep, supernet, value, asked))
    head = ["SuperNet", sweep.unit, "SubGraphs", *(f"{system} saves %" for system in CACHED)]
    head += ["pruned saves bytes %", "hits %", "accuracy +points", "oracle's"]
    head += ["SubNet µs", "SubGraph µs"] if sweep.with_lookup else []
    said = (
        f"{SIMULATED} Latency and bytes: strict accuracy, against no cache, refills included; "
        "accuracy: strict latency, served accuracy above no cache's, SUSHI pruned and the oracle.",
        f"Where not varied: Q {EVERY}, {CANDIDATES} SubGraphs, {DWELL:g} queries in a row, "
        f"{asked.queries:,} queries; buffers of {LARGE_BYTES['resnet50'] / 1e6:g} MB (ResNet50) "
        f"and {LARGE_BYTES['mobilenetv3'] / 1e6:g} MB (MobileNetV3).",
    )
    title = f"{sweep.title}, simulated"
    panels = [_panel(supernet, found) for supernet in MACHINES]
    return Result(name, title, head, list(map(_row, found)), panels, sweep.unit, said, True)


def _at(sweep: Sweep, supernet: str, value: float, asked: Asked) -> Found:
    machine = replace(MACHINES[supernet], buffer_bytes=LARGE_BYTES[supernet])
    setting = sweep.put(Setting(machine), value)
    of = simulated(subnets(supernet), setting.machine, setting.most_candidates)
    streams = {
        strict: stream(of.table, strict, DWELL, asked.queries, asked.draw(number))
        for number, strict in enumerate(Strict)
    }
    by_strict = {strict: served(of, setting.every, queries) for strict, queries in streams.items()}
    return Found(
        supernet,
        value,
        len(of.table.subgraphs),
        by_strict[Strict.ACCURACY],
        by_strict[Strict.LATENCY],
        lookup_us(of.table, streams[Strict.LATENCY]) if sweep.with_lookup else None,
    )


def _row(found: Found) -> list[str]:
    by_accuracy, by_latency = found.strict_accuracy, found.strict_latency
    none = by_latency[NO_CACHE].accuracy
    traffic = saved(by_accuracy[PRUNED].traffic_mb, by_accuracy[NO_CACHE].traffic_mb)
    return [
        found.supernet,
        f"{found.value:g}",
        str(found.subgraphs),
        *(f"{found.latency_saved(system):.1f}" for system in CACHED),
        f"{traffic:.1f}",
        f"{100 * by_accuracy[PRUNED].hit_ratio:.1f}",
        *(f"{100 * (by_latency[system].accuracy - none):.2f}" for system in (PRUNED, "oracle")),
        *(f"{us:.1f}" for us in found.lookup_us or ()),
    ]


def _panel(supernet: str, found: Sequence[Found]) -> Panel:
    mine = [one for one in found if one.supernet == supernet]
    values = [one.value for one in mine]
    lines = [Line(name, values, [one.latency_saved(name) for one in mine]) for name in CACHED]
    return Panel(f"Latency saved, %: {SAYS[supernet]}, simulated", lines)
