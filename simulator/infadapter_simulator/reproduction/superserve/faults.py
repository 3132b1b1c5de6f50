"""Workers killed one by one: accuracy falls, and attainment should not."""

from collections.abc import Iterator

from infadapter_scheduler import Emulation
from infadapter_simulator.reproduction.result import Line, Panel, Result, percent
from infadapter_simulator.reproduction.superserve.asked import Asked
from infadapter_simulator.reproduction.superserve.bursts import calibration
from infadapter_simulator.reproduction.superserve.ladder import GPUS, supernet
from infadapter_simulator.reproduction.superserve.serving import (
    CHOOSING,
    Delivered,
    admitted,
    delivered,
)
from infadapter_simulator.reproduction.superserve.workload import arrivals, warped

RATE_RPS, CV2 = 3500, 2
KILLED = 4
"""Workers killed of eight, evenly over the run: one every 12 s of the paper's 60 s."""


class Killer:
    """Kills one worker at each of its times."""

    def __init__(self, times_s: Iterator[float]) -> None:
        self._left = list(times_s)

    def __call__(self, emulation: Emulation, now_s: float) -> None:
        while self._left and now_s >= self._left[0]:
            self._left.pop(0)
            emulation.lose(next(iter(emulation.machines)), now_s)


def run(asked: Asked) -> Result:
    steps = [run_steps(asked, name) for name in CHOOSING]
    table = [
        [str(GPUS - step), name, percent(found.attainment, 3), f"{found.accuracy:.2f}"]
        for step in range(KILLED + 1)
        for name, by_step in zip(CHOOSING, steps, strict=True)
        for found in [by_step[step]]
    ]
    workers = [GPUS - step for step in range(KILLED + 1)]
    panels = [
        Panel(
            "On time, %",
            [
                Line(n, workers, [100 * f.attainment for f in s])
                for n, s in zip(CHOOSING, steps, strict=True)
            ],
        ),
        Panel(
            "Accuracy, %, above 70",
            [
                Line(n, workers, [f.accuracy - 70 for f in s])
                for n, s in zip(CHOOSING, steps, strict=True)
            ],
        ),
    ]
    said = (
        "Published: 99.9 % on time down to half of the workers, by lower accuracy.",
        f"{RATE_RPS:,} r/s, CV² {CV2}, {asked.seconds:g} s, behind admission; what a worker was "
        "running when it was killed counts as missed.",
        calibration(),
    )
    head = ("workers", "policy", "on time %", "accuracy %")
    return Result("faults", "Killing workers", head, table, panels, "workers left", said)


def run_steps(asked: Asked, name: str) -> list[Delivered]:
    """Return the results by the number of workers killed before a request's arrival."""
    model, step_s = supernet(), asked.seconds / (KILLED + 1)
    by_step = [Delivered() for _ in range(KILLED + 1)]
    times_s = warped(lambda at_s: RATE_RPS, CV2, asked.seconds, asked.draw())
    killer = Killer(step_s * (step + 1) for step in range(KILLED))
    delivered(
        admitted(model, CHOOSING[name]()),
        model,
        arrivals(times_s),
        GPUS,
        watch=killer,
        by=lambda arrival: by_step[int(arrival.arrival_s / step_s)],
    )
    return by_step
