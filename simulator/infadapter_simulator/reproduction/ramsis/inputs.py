"""RAMSIS's inputs (EuroSys'24): networks on cloud CPUs, and a trace. They are not shipped."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from infadapter_scheduler import Arrival, Model, Point, with_points

PROFILES = "ramsis_cpu_profiles.csv"
TRACE = "ramsis_twitter_trace_27x10s.txt"
NAME = "image"
SLO_S = 0.150
STEP_S = 10.0
WORKERS = (60, 70, 80)


class Step(NamedTuple):
    at_s: float
    rate_rps: float


def networks(folder: Path) -> Model:
    """
    Return all image networks as one ladder; batches take their 95th percentile, as the authors
    plan.
    """
    seconds: dict[str, dict[int, float]] = defaultdict(dict)
    accuracy: dict[str, float] = {}
    with (folder / PROFILES).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["task"] == NAME:
                seconds[row["model"]][int(row["batch"])] = float(row["p95_ms"]) / 1000
                accuracy[row["model"]] = float(row["top1_pct"])
    return with_points(NAME, [Point(name, accuracy[name], seconds[name]) for name in seconds])


def trace(folder: Path) -> list[Step]:
    lines = (folder / TRACE).read_text(encoding="utf-8").splitlines()
    return [Step(*map(float, line.split())) for line in lines if line.strip()]


def fastest_for_accuracy(model: Model) -> list[Point]:
    """
    Return the networks that no other dominates in speed alone and accuracy: those of the baselines.
    """
    found: list[Point] = []
    for point in sorted(model.points, key=lambda p: (p.execution_s[1], -p.accuracy)):
        if not found or point.accuracy > found[-1].accuracy:
            found.append(point)
    return found


def arrivals(steps: Sequence[Step], scale: float, draw: np.random.Generator) -> Iterator[Arrival]:
    """Yield Poisson arrivals at each step's rate, for `scale` of its ten seconds."""
    now_s = 0.0
    for number, step in enumerate(steps):
        end_s = (number + 1) * STEP_S * scale
        while True:
            now_s += draw.exponential(1 / step.rate_rps)
            if now_s >= end_s:
                now_s = end_s
                break
            yield Arrival(now_s, NAME, SLO_S)
