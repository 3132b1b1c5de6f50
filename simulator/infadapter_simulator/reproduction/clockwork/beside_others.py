"""
§6.1: one GPU and 15 copies of ResNet-50 with 16 closed-loop clients each, at SLOs from 10 to 500
ms, beside Clipper's additive increase and multiplicative decrease.
"""

from collections.abc import Callable

from infadapter_scheduler import Arrival, Client, ClosedLoop, Served, World
from infadapter_simulator.reproduction.clockwork.asked import LAG_S, Asked, policy_of
from infadapter_simulator.reproduction.clockwork.drive import Sampler, drive
from infadapter_simulator.reproduction.clockwork.table import by_name, resnet50s
from infadapter_simulator.reproduction.clockwork.tally import Counts, Tally
from infadapter_simulator.reproduction.result import (
    UNPUBLISHED,
    Line,
    Panel,
    Result,
    milliseconds,
    percent,
)

SLOS_MS = (10, 25, 50, 100, 250, 500)
COPIES, CLIENTS = 15, 16
PAUSE_S = 0.001
"""A client's round trip, s."""

POLICIES = {"ours": "infadapter", "Clockwork as released": "clockwork", "Clipper's AIMD": "aimd"}


def run(asked: Asked) -> Result:
    found = {
        (name, slo_ms): _counts(asked, policy, slo_ms)
        for name, policy in POLICIES.items()
        for slo_ms in SLOS_MS
    }
    head = ["SLO ms", "policy", "goodput r/s", "on time %", "p50 ms", "p99 ms", "max ms", "batch"]
    rows = [
        _row(asked, slo_ms, name, found[name, slo_ms]) for slo_ms in SLOS_MS for name in POLICIES
    ]
    measures: dict[str, Callable[[Counts], float]] = {
        "Goodput, r/s": lambda counts: counts.on_time / asked.seconds,
        "P99 of the answered, ms": lambda counts: 1000 * counts.latency_s(0.99),
    }
    panels = [
        Panel(
            title, [Line(n, SLOS_MS, [value(found[n, slo]) for slo in SLOS_MS]) for n in POLICIES]
        )
        for title, value in measures.items()
    ]
    said = (
        f"Figure 5: {UNPUBLISHED}. In it Clockwork keeps its goodput at tight SLOs, and Clipper's "
        "falls below about 100 ms (recollected, not read).",
        f"{COPIES} copies × {CLIENTS} clients, {asked.minutes:g} minutes each (30 in the paper); "
        "the profile that the authors' controller starts from; INFaaS isn't rebuilt.",
        "A client comes back a round trip of 1 ms after an answer, and after a refusal once it "
        "was told to; on time is of all requests that they sent.",
    )
    return Result("6.1", "How it compares", head, rows, panels, "SLO, ms", said, log_x=True)


def _counts(asked: Asked, policy: str, slo_ms: float) -> Counts:
    models = resnet50s(COPIES)
    clients = [Client(m.name, slo_ms / 1000) for _ in range(CLIENTS) for m in models]
    loop = ClosedLoop(clients, until_s=asked.seconds, pause_s=PAUSE_S)
    tally = Tally(asked.seconds + 1)

    def settled(arrival: Arrival, fate: Served, known_s: float) -> None:
        tally.settled(arrival, fate, known_s)
        loop.settled(arrival, fate, known_s)

    sampler = Sampler(1.0, asked.seconds, asked.tell)
    drive(policy_of(policy, models), loop, World(by_name(models), lag_s=LAG_S), settled, sampler)
    return tally.of()


def _row(asked: Asked, slo_ms: float, name: str, counts: Counts) -> list[str]:
    return [
        str(slo_ms),
        name,
        f"{counts.on_time / asked.seconds:.0f}",
        percent(counts.share, 1),
        milliseconds(counts.latency_s(0.5)),
        milliseconds(counts.latency_s(0.99)),
        milliseconds(counts.longest_s),
        f"{counts.mean_batch:.1f}",
    ]
