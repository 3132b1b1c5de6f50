"""
§6.4: isolation of tenants with an SLO from batch tenants, whose closed-loop clients use the rest.
"""

from functools import partial

from infadapter_scheduler import Arrival, Both, Client, ClosedLoop, Served, Stream, World
from infadapter_simulator.reproduction.clockwork.asked import LAG_S, Asked, poisson, policy_of
from infadapter_simulator.reproduction.clockwork.drive import Sampler, drive
from infadapter_simulator.reproduction.clockwork.low_slos import GPUS, PAGES
from infadapter_simulator.reproduction.clockwork.ramp import ALONE_S, MULTIPLES, slo_s
from infadapter_simulator.reproduction.clockwork.table import by_name, resnet50s
from infadapter_simulator.reproduction.clockwork.tally import Tally
from infadapter_simulator.reproduction.result import UNPUBLISHED, Line, Panel, Result, percent

LIVE, LIVE_RPS = 6, 200.0
BATCH = ((0, 0), (12, 16), (48, 4))
"""Numbers of batch models, and of clients for each."""

BATCH_SLO_S, PAUSE_S = 86_400.0, 0.001


def run(asked: Asked) -> Result:
    found = [_tally(asked, *case) for case in BATCH]
    names = ["alone" if not models else f"{models} × {clients}" for models, clients in BATCH]
    steps = range(len(MULTIPLES))
    step_s = asked.seconds / len(MULTIPLES)
    shares = [[tally.of("live", range(s, s + 1)).share for s in steps] for tally in found]
    batch = [
        [tally.of("batch", range(s, s + 1)).on_time / step_s for s in steps] for tally in found
    ]
    rows = [
        [f"{MULTIPLES[s]:.1f}", f"{1000 * ALONE_S * MULTIPLES[s]:.1f}"]
        + [percent(share[s]) for share in shares]
        + [f"{rate[s]:.0f}" for rate in batch[1:]]
        for s in steps
    ]
    panels = [
        _panel(
            "Live tenants on time, % of all arrivals", names, [[100 * s for s in x] for x in shares]
        ),
        _panel("Batch requests a second", names[1:], batch[1:]),
    ]
    said = (
        f"Figure 8: {UNPUBLISHED}; there live tenants keep their satisfaction and batch tenants "
        "fill what is idle.",
        f"{LIVE} live models at {LIVE_RPS:g} r/s each on {GPUS} GPUs, steps of {step_s:.2g} s "
        "(30 s in the paper); batch clients wait for each answer, with an SLO of a day.",
    )
    head = [
        "× 2.9 ms", "SLO ms", *(f"{n}: live %" for n in names),
        *(f"{n}: batch r/s" for n in names[1:]),
    ]  # fmt: skip
    return Result("6.4", "Isolation", head, rows, panels, "SLO / 2.9 ms", said, True)


def _panel(title: str, names: list[str], values: list[list[float]]) -> Panel:
    return Panel(title, [Line(n, MULTIPLES, v) for n, v in zip(names, values, strict=True)])


def _tally(asked: Asked, models: int, clients: int) -> Tally:
    live, batch = resnet50s(LIVE, "live"), resnet50s(models, "batch")
    step_s = asked.seconds / len(MULTIPLES)
    loop = ClosedLoop(
        [Client(m.name, BATCH_SLO_S) for _ in range(clients) for m in batch],
        until_s=asked.seconds,
        pause_s=PAUSE_S,
    )
    slo = partial(slo_s, step_s=step_s)
    names = [m.name for m in live]
    stream = Stream(poisson(LIVE * LIVE_RPS, names, slo, asked.seconds, asked.draw(models)))
    tally = Tally(step_s, lambda arrival: arrival.model.split("-")[0])

    def settled(arrival: Arrival, fate: Served, known_s: float) -> None:
        tally.settled(arrival, fate, known_s)
        loop.settled(arrival, fate, known_s)

    world = World(by_name([*live, *batch]), GPUS, PAGES, LAG_S)
    sampler = Sampler(1.0, asked.seconds, asked.tell)
    drive(policy_of("infadapter", [*live, *batch]), Both(stream, loop), world, settled, sampler)
    return tally
