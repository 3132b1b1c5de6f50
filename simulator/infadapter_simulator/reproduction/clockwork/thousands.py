"""
§6.2: thousands of models on one GPU that holds 201: a steady one, and 1,000 r/s over ever more
others.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from infadapter_scheduler import Arrival, Stream, World
from infadapter_simulator.reproduction.clockwork.asked import CHUNK, LAG_S, Asked, policy_of
from infadapter_simulator.reproduction.clockwork.drive import Sample, Sampler, drive
from infadapter_simulator.reproduction.clockwork.table import by_name, resnet50s
from infadapter_simulator.reproduction.clockwork.tally import Tally
from infadapter_simulator.reproduction.result import (
    UNPUBLISHED,
    Line,
    Panel,
    Result,
    milliseconds,
    percent,
)

MINOR, MINOR_RPS, MAJOR_RPS, SLO_S = "minor", 200.0, 1000.0, 0.1
MODELS, RESIDENT = 3600, 201
STILL = 1 / 5
"""Share of the time in which one major model is requested; then their number rises steadily."""

MINUTES_PUBLISHED = 75
BINS = 60
SHOWN = (1, 100, 200, 400, 800, 1600, 3200, 3600)


def run(asked: Asked) -> Result:
    models = [*resnet50s(1, MINOR), *resnet50s(MODELS, "major")]
    world = World(by_name(models), pages=RESIDENT * models[0].pages, lag_s=LAG_S)
    bin_s = asked.seconds / BINS
    tally = Tally(bin_s, lambda arrival: arrival.model[:5])
    sampler = Sampler(bin_s, asked.seconds, asked.tell)
    source = Stream(_arrivals(asked))
    samples = drive(policy_of("infadapter", models), source, world, tally.settled, sampler)
    return Result(
        "6.2",
        "Thousands of models",
        [
            "major models", "major goodput r/s", "minor on time %", "major on time %", "late",
            "p99 ms", "max ms", "cold %", "GPU %", "PCIe %",
        ],
        _rows(asked, tally, samples),
        _panels(asked, tally, samples),
        "major models asked for",
        (
            f"Figure 6: {UNPUBLISHED}; there the GPU was full at 201 models, as here.",
            f"{asked.minutes:g} minutes for 1 to 3,600 models, {MINUTES_PUBLISHED} in the paper: "
            "with less time, models become more the faster and are asked for less often each.",
            "1,200 r/s are beyond what one GPU serves of ResNet-50 (736 r/s in batches of 16), "
            "so that requests are refused from the start; a load takes 8.4 ms: 119 a second.",
        ),
    )  # fmt: skip


def active(at_s: float, seconds: float) -> int:
    """Return the number of major models that are requested."""
    grown = (at_s / seconds - STILL) / (1 - STILL)
    return max(1, min(MODELS, round(1 + (MODELS - 1) * grown)))


def _arrivals(asked: Asked) -> Iterator[Arrival]:
    draw, now_s, rate_rps = asked.draw(), 0.0, MINOR_RPS + MAJOR_RPS
    while True:
        times = now_s + np.cumsum(draw.exponential(1 / rate_rps, CHUNK))
        minors = draw.random(CHUNK) < MINOR_RPS / rate_rps
        for at_s, minor, which in zip(times, minors, draw.random(CHUNK), strict=True):
            if at_s >= asked.seconds:
                return
            at = int(which * active(at_s, asked.seconds))
            yield Arrival(float(at_s), f"{MINOR}-0" if minor else f"major-{at}", SLO_S)
        now_s = float(times[-1])


def _rows(asked: Asked, tally: Tally, samples: list[Sample]) -> list[list[str]]:
    found = []
    for shown in SHOWN:
        at = next(
            (n for n in range(BINS) if active((n + 1) * tally.bin_s, asked.seconds) >= shown),
            BINS - 1,
        )
        at = max(at, 1)
        found.append(_row(shown, at, tally, samples))
    return found


def _row(shown: int, at: int, tally: Tally, samples: list[Sample]) -> list[str]:
    bins = range(at, at + 1)
    major, minor = tally.of("major", bins), tally.of(MINOR, bins)
    from_sample = max(0, min(at, len(samples) - 2))
    before, after = samples[from_sample], samples[min(from_sample + 1, len(samples) - 1)]
    seconds = max(1e-9, after.at_s - before.at_s)
    return [
        f"{shown:,}",
        f"{major.on_time / tally.bin_s:.0f}",
        percent(minor.share, 1),
        percent(major.share, 1),
        str(major.late + minor.late),
        milliseconds(major.latency_s(0.99)),
        milliseconds(max(major.longest_s, minor.longest_s)),
        percent(major.cold / max(1, major.answered), 1),
        percent((after.busy_s - before.busy_s) / seconds, 0),
        percent((after.loading_s - before.loading_s) / seconds, 0),
    ]


def _panels(asked: Asked, tally: Tally, samples: list[Sample]) -> list[Panel]:
    x = [active((n + 0.5) * tally.bin_s, asked.seconds) for n in range(BINS)]
    by_bin = {
        name: [tally.of(name, range(n, n + 1)) for n in range(BINS)] for name in ("major", MINOR)
    }
    goodput = [
        Line(name, x, [counts.on_time / tally.bin_s for counts in found])
        for name, found in by_bin.items()
    ]
    latency = [
        Line(f"{name}, {word}", x, [1000 * counts.latency_s(share) for counts in found])
        for name, found in by_bin.items()
        for word, share in (("p50", 0.5), ("p99", 0.99))
    ]
    cold = Line("major", x, [counts.cold / max(1, counts.answered) for counts in by_bin["major"]])
    used = [
        Line(name, x[1 : len(samples)], [100 * d for d in _shares(samples, at)])
        for name, at in (("executions", 1), ("loads", 2))
    ]
    return [
        Panel("Goodput, r/s", goodput),
        Panel("Latency of the answered, ms", latency),
        Panel("Cold starts, share of the answered", [cold]),
        Panel("GPU and PCIe in use, %", used),
    ]


def _shares(samples: list[Sample], at: int) -> list[float]:
    return [(b[at] - a[at]) / max(1e-9, b.at_s - a.at_s) for a, b in pairwise(samples)]
