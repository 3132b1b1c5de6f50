"""The traces on which the budgets are compared, scaled so that six cores can just serve most."""

from pathlib import Path

from benchmarks.policies.cases import CASES
from infadapter_simulator.part import Part
from infadapter_workload.reading import named_trace
from infadapter_workload.shaping import scaled

SCALE = 0.7
MADE_UP = ("bursty:11", "on-off:12", "flash-crowd:3", "diurnal:5", "heavy-tail:4")
RECORDED = ("slice", "day-hour", "autothrottle-bursty")
TRACES = (*MADE_UP, *RECORDED)


def part_of(name: str, folder: Path | None) -> Part:
    """Raises TraceError, and FileNotFoundError without the folder of a recorded one."""
    if name in RECORDED:
        part = CASES[name].read(folder or Path())
        return Part(trace=scaled(part.trace, SCALE, 0), from_s=part.from_s, to_s=part.to_s)
    trace = scaled(named_trace(f"synthetic:{name}", False, None), SCALE, 0)
    return Part(trace=trace, from_s=0, to_s=trace.seconds)
