"""LCAO beside co-runners on the same core, which start and stop every five seconds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from infadapter.one_core import one_core
from infadapter.slo_aware.asked import Asked
from infadapter_server.networks.sloaware import prepare
from infadapter_server.networks.sloaware.label_network import LabelNetwork
from infadapter_server.networks.sloaware.labels import Task
from infadapter_server.networks.sloaware.latency import LatencyProfile, Utilisation
from infadapter_server.networks.sloaware.policies import lcao
from infadapter_simulator.reproduction.result import Line, Panel, Result

SHARES = (0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.2, 0.4)
CO_RUNNERS = 2
SWITCHED_EVERY_S = 5.0
PAUSE_S = 0.03
WITHIN = 1.25
PROFILED = 60
HEAD = ("network", "when", "requests", "p50 ms", "p95 ms", "p95 / isolated", "accuracy %")

_BURN = "import numpy as np\na = np.ones((400, 400), np.float32)\nwhile True: a @ a"


@dataclass(frozen=True, slots=True)
class Taken:
    at_s: float
    seconds: float
    beside: bool
    right: bool


def run(asked: Asked) -> Result:
    recipe = prepare.RECIPES[asked.labels]
    weights = prepare.label_weights(
        asked.labels, recipe.hidden, recipe.batches, asked.cache, asked.tell
    )
    network = LabelNetwork(weights, prepare.label_tables(asked.labels, weights, asked.cache))
    inputs, right = Task(labels=asked.labels).sample(2000, prepare.TEST)
    points = [*(_hashed(network, share) for share in SHARES), network.full]
    with one_core(), _co_runners() as beside:
        profile = _profile(points, inputs, beside, 12 if asked.quick else PROFILED)
        alone = _served(
            lambda left_s: len(points) - 1, points, inputs, right, None, asked.seconds / 4
        )
        isolated_s = _p95(alone)
        fixed = _served(
            lambda left_s: len(points) - 1, points, inputs, right, beside, asked.seconds
        )
        adaptive = _Lcao(profile, WITHIN * isolated_s)
        ours = _served(adaptive, points, inputs, right, beside, asked.seconds)
    rows = [
        *_rows("full, alone", alone, isolated_s),
        *_rows("full, fixed", fixed, isolated_s),
        *_rows("LCAO", ours, isolated_s),
    ]
    said = _said(asked.labels, recipe.hidden, weights.nbytes, profile)
    lines = [
        Line(name, [t.at_s for t in taken], [1000 * t.seconds for t in taken])
        for name, taken in (("full, fixed", fixed), ("LCAO", ours))
    ]
    title = "LCAO beside co-runners that come and go"
    return Result(
        "interference", title, HEAD, rows, [Panel("Time of an answer, ms", lines)], "seconds", said
    )


def _said(labels: int, hidden: int, weights_bytes: int, profile: LatencyProfile) -> tuple[str, ...]:
    return (
        f"{labels:,} labels, {hidden} hidden nodes, {weights_bytes / 1e6:.0f} MB; "
        f"{CO_RUNNERS} co-runners that multiply matrices on the same core, on and off every "
        f"{SWITCHED_EVERY_S:.0f} s; a request {1000 * PAUSE_S:.0f} ms after the last answer. "
        "Transitions are counted.",
        f"LCAO may take {WITHIN} times the isolated p95. It isn't told of co-runners: it sees what "
        "its answers took.",
        "Profile, p95 in ms at 0, 1 and 2 co-runners, by nodes "
        + ", ".join(f"{100 * s:g} %" for s in (*SHARES, 1.0))
        + ": "
        + "; ".join(" ".join(f"{1000 * s:.2f}" for s in profile.at(level)) for level in (0, 1, 2)),
    )


class _Lcao:
    """LCAO with the whole remaining time as its budget, since nothing queues in a closed loop."""

    def __init__(self, profile: LatencyProfile, limit_s: float) -> None:
        self._profile, self._limit_s, self._utilisation = profile, limit_s, Utilisation()
        self._last = 0

    def __call__(self, last_s: float | None) -> int:
        if last_s is not None:
            self._utilisation.took(last_s, self._profile.typical_s[0][self._last])
        level = self._utilisation.level(self._profile)
        self._last = lcao(self._profile, level, self._limit_s).point
        return self._last


def _hashed(network: LabelNetwork, share: float) -> Callable[[Any], int]:
    most = round(share * network.weights.labels)
    return lambda x: network.answer(x, most).label


def _profile(
    points: Sequence[Callable[[Any], int]], inputs: Any, beside: "CoRunners", each: int
) -> LatencyProfile:
    high: dict[int, list[float]] = {}
    typical: dict[int, list[float]] = {}
    for level in range(CO_RUNNERS + 1):
        beside.run(level)
        time.sleep(0.3)
        taken = [_taken(point, inputs[:each]) for point in points]
        high[level] = [float(np.percentile(seconds, 95)) for seconds in taken]
        typical[level] = [float(np.median(seconds)) for seconds in taken]
    beside.run(0)
    return LatencyProfile.of([f"{100 * share:g}" for share in (*SHARES, 1.0)], high, typical)


def _taken(point: Callable[[Any], int], inputs: Any) -> list[float]:
    taken = []
    point(inputs[0])  # compiles, where that is due
    for x in inputs:
        began_s = time.perf_counter()
        point(x)
        taken.append(time.perf_counter() - began_s)
        time.sleep(0.002)
    return taken


def _served(
    choose: Callable[[float | None], int],
    points: Sequence[Callable[[Any], int]],
    inputs: Any,
    right: Any,
    beside: "CoRunners | None",
    seconds: float,
) -> list[Taken]:
    found: list[Taken] = []
    start_s, last_s = time.perf_counter(), None
    while (at_s := time.perf_counter() - start_s) < seconds:
        on = beside is not None and int(at_s / SWITCHED_EVERY_S) % 2 == 1
        if beside is not None:
            beside.run(CO_RUNNERS if on else 0)
        i = len(found) % len(inputs)
        began_s = time.perf_counter()
        answer = points[choose(last_s)](inputs[i])
        last_s = time.perf_counter() - began_s
        found.append(Taken(at_s, last_s, on, bool(answer == right[i])))
        time.sleep(PAUSE_S)
    if beside is not None:
        beside.run(0)
    return found


class CoRunners:
    """Co-runners that are stopped and continued by signals within a millisecond."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._processes = processes
        self._running = len(processes)
        self.run(0)

    def run(self, many: int) -> None:
        if many == self._running:
            return
        for at, process in enumerate(self._processes):
            process.send_signal(signal.SIGCONT if at < many else signal.SIGSTOP)
        self._running = many


@contextmanager
def _co_runners() -> Iterator[CoRunners]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _BURN]
    processes = [subprocess.Popen(command, env=environment) for _ in range(CO_RUNNERS)]
    try:
        time.sleep(1.0)
        yield CoRunners(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _p95(taken: Sequence[Taken]) -> float:
    return float(np.percentile([each.seconds for each in taken], 95))


def _rows(name: str, taken: Sequence[Taken], isolated_s: float) -> Iterator[list[str]]:
    kinds = {"all": taken, "off": [t for t in taken if not t.beside]}
    kinds["on"] = [t for t in taken if t.beside]
    for when, some in kinds.items():
        if not some or (when != "all" and len(some) == len(taken)):
            continue
        ms = [1000 * t.seconds for t in some]
        yield [
            name,
            when,
            f"{len(some):,}",
            f"{np.percentile(ms, 50):.2f}",
            f"{np.percentile(ms, 95):.2f}",
            f"{np.percentile(ms, 95) / 1000 / isolated_s:.2f}",
            f"{100 * float(np.mean([t.right for t in some])):.1f}",
        ]
