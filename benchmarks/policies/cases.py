"""The traces, and what is asked of the policies on them: the paper's preset, 750 ms, 20 cores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infadapter.profiles import read_preset
from infadapter.scenarios import Aim, scenario_of
from infadapter.simulated import Arguments
from infadapter.traces import TraceOptions
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario, Server
from infadapter_solver import CPU
from infadapter_workload.reading import read_trace
from infadapter_workload.shaping import scaled, sliced, without_gaps
from infadapter_workload.synthetic import KINDS, synthetic

HOUR_S, DAY_S = 3600, 86_400
HISTORY_S = 2 * HOUR_S
"""Of what every policy has seen of the long trace before its part begins."""

SLICE, DAY_HOUR, MORNING_HOUR = "slice", "day-hour", "morning-hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A trace and a server."""

    name: str
    title: str
    read: Callable[[Path], Part]  # from the folder of all traces
    server: Server = Server.SAME

    def scenario(self) -> Scenario:
        return scenario(self.server)


def scenario(server: Server) -> Scenario:
    arguments = Arguments(
        trace=TraceOptions(),
        rate_scale=1.0,
        from_s=0,
        to_s=None,
        profile=None,
        accuracy_floor=0.0,
        price={CPU: 1.0},
        loading_weight=0.001,
        server=str(server),
        speed="measured",
        sigma=0.0,
        random_weights=False,
        failures_per_pod_hour=0.0,
        max_surge=None,
        forecast="Auto",
        season="Week",
        time_zone="UTC",
        seed=0,
    )
    aim = Aim(slo_ms=750, budget={CPU: 20_000}, cost_weight=0.05)
    return scenario_of(arguments, read_preset("paper-raw"), aim)


def _recorded(path: str, scale: float, folder: Path) -> Part:
    trace = scaled(read_trace(folder / path), scale, 0)
    return Part(trace=trace, from_s=0, to_s=trace.seconds)


def _of_the_fortnight(day: int, hour: int, seconds: int, folder: Path) -> Part:
    """Days count from 1. The collector's gap in the night is dropped, as the paper does."""
    path = folder / "twitter2021/requests_per_second_days_01_14.txt.gz"
    first_s = (day - 1) * DAY_S + hour * HOUR_S
    began_s = max(0, first_s - HISTORY_S)
    trace = sliced(read_trace(path, keep_zeros=True), began_s, first_s + seconds)
    whole, past_s = without_gaps(trace), first_s - began_s
    history_s = without_gaps(sliced(trace, 0, past_s)).seconds if past_s else 0
    return Part(trace=whole, from_s=history_s, to_s=whole.seconds)


def _made_up(kind: str, seed: int, folder: Path) -> Part:
    trace = synthetic(kind, seed)
    return Part(trace=trace, from_s=0, to_s=trace.seconds)


_BURSTY = partial(_recorded, "autothrottle/bursty.txt", 0.6)
_SLICE = partial(_recorded, "twitter2021/day15_bursty_1260s.csv", 1.0)
_CODE = partial(_recorded, "azure_llm_2023/AzureLLMInferenceTrace_code.csv", 1.0)

_CASES = (
    Case(name=SLICE, title="Twitter, the paper's 21 min", read=_SLICE),
    Case(name="autothrottle-bursty", title="Autothrottle bursty × 0.6", read=_BURSTY),
    Case(
        name="autothrottle-diurnal",
        title="Autothrottle diurnal × 0.6",
        read=partial(_recorded, "autothrottle/diurnal.txt", 0.6),
    ),
    Case(name="azure-code", title="Azure LLM code", read=_CODE),
    Case(
        name=DAY_HOUR,
        title="Twitter, day 14, 18–19 h",
        read=partial(_of_the_fortnight, 14, 18, HOUR_S),
    ),
    Case(
        name=MORNING_HOUR,
        title="Twitter, day 10, 6–7 h",
        read=partial(_of_the_fortnight, 10, 6, HOUR_S),
    ),
    *(
        Case(name=kind, title=f"synthetic:{kind}:1", read=partial(_made_up, kind, 1))
        for kind in KINDS
    ),
)

_UNSEEN = (
    *(
        Case(
            name=f"day-{day}-{hour}",
            title=f"Twitter, day {day}, {hour}–{hour + 1} h",
            read=partial(_of_the_fortnight, day, hour, HOUR_S),
        )
        for day, hour in ((2, 12), (4, 21), (6, 3), (8, 15), (11, 9), (13, 0))
    ),
    *(
        Case(name=f"{kind}-7", title=f"synthetic:{kind}:7", read=partial(_made_up, kind, 7))
        for kind in KINDS
    ),
)
"""What nobody looked at while the control was made."""

_EACH_ITS_SERVER = (
    Case(
        name=f"{SLICE}-published",
        title="Twitter, the paper's 21 min",
        read=_SLICE,
        server=Server.PUBLISHED,
    ),
    Case(
        name="autothrottle-bursty-published",
        title="Autothrottle bursty × 0.6",
        read=_BURSTY,
        server=Server.PUBLISHED,
    ),
)

_DAYS = tuple(
    Case(
        name=f"day-{day}",
        title=f"Twitter, day {day}, whole",
        read=partial(_of_the_fortnight, day, 0, DAY_S),
    )
    for day in range(1, 15)
)

CASES: Mapping[str, Case] = {
    case.name: case for case in (*_CASES, *_EACH_ITS_SERVER, *_UNSEEN, *_DAYS)
}
HOURS = tuple(case.name for case in _CASES)
PUBLISHED = tuple(case.name for case in _EACH_ITS_SERVER)
UNSEEN = tuple(case.name for case in _UNSEEN)
DAYS = tuple(case.name for case in _DAYS)
