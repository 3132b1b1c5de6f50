"""The cost if switching the SubNet took as long as loading a network."""

from functools import partial

from infadapter_simulator.reproduction.result import Line, Panel, Result, percent
from infadapter_simulator.reproduction.superserve.asked import Asked
from infadapter_simulator.reproduction.superserve.bursts import BASE_RPS, VARIANT_RPS, calibration
from infadapter_simulator.reproduction.superserve.ladder import GPUS, supernet
from infadapter_simulator.reproduction.superserve.serving import (
    CHOOSING,
    Delivered,
    admitted,
    delivered,
    queued,
)
from infadapter_simulator.reproduction.superserve.workload import bursty

DELAYS_MS = (0, 1, 10, 100)
CV2 = 4
WAYS = {
    "ours, behind admission": ("ours", admitted),
    "SlackFit, nobody refused": ("SlackFit", queued),
}


def run(asked: Asked) -> Result:
    load = partial(bursty, BASE_RPS, VARIANT_RPS[1], CV2, asked.seconds)
    found: dict[tuple[str, int], Delivered] = {}
    for way, (name, policy_of) in WAYS.items():
        for delay_ms in DELAYS_MS:
            model = supernet()
            policy = policy_of(model, CHOOSING[name]())
            found[way, delay_ms] = delivered(
                policy, model, load(draw=asked.draw()), GPUS, switch_s=delay_ms / 1000
            )
    table = [
        [str(delay_ms), way, percent(one.attainment, 3), f"{one.accuracy:.2f}", str(one.late)]
        for (way, delay_ms), one in found.items()
    ]
    panel = Panel(
        "Not on time, %",
        [
            Line(way, DELAYS_MS, [100 * (1 - found[way, ms].attainment) for ms in DELAYS_MS])
            for way in WAYS
        ],
    )
    said = (
        "Published: a delay of 100 ms has up to 75 times as many miss the SLO (Azure's functions, "
        "simulated).",
        f"{BASE_RPS:,} + {VARIANT_RPS[1]:,} r/s, CV² {CV2}, {asked.seconds:g} s. No scheduler is "
        "told of the delay, so what was promised is broken as well; ours learns of it as of any "
        "execution that takes longer than expected, and keeps a larger buffer.",
        calibration(),
    )
    head = ("delay ms", "policy", "on time %", "accuracy %", "late")
    return Result("switching", "A switching delay", head, table, [panel], "delay, ms", said)
