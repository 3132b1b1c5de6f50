"""
Clockwork's section 2 on this machine: inferences one at a time, and several on the same core.

The paper shows on a GPU that concurrent executions gain little, and that their duration becomes
unpredictable. All threads are pinned to one core, since a second one would be a second executor.
"""

import threading
import time
from collections.abc import Callable

import numpy as np

from infadapter.one_core import one_core
from infadapter_simulator.reproduction.clockwork.asked import Asked
from infadapter_simulator.reproduction.result import Line, Panel, Result

AT_A_TIME = (1, 2, 4, 8)
CHANNELS, SIDE = 32, 32
WARM_UPS = 20
QUANTILES = {"p50 ms": 50.0, "p99 ms": 99.0, "p99.9 ms": 99.9, "max ms": 100.0}


def run(asked: Asked) -> Result:
    seconds = asked.seconds / len(AT_A_TIME)
    with one_core():
        found = {number: _measured(number, seconds) for number in AT_A_TIME}
    rows = [_row(number, took_s, seconds, len(found[1])) for number, took_s in found.items()]
    head = ["at a time", "inferences", "per second", "× one", *QUANTILES, "p99 / p50"]
    said = (
        f"A convolutional network of {CHANNELS} channels on one core with PyTorch, "
        f"{seconds:.1f} s for each row.",
        "Published, on a V100: one at a time, the 99.99th percentile is within 0.03 % of the "
        "median; concurrently, up to 25 % more a second with about 100 times the variability "
        "(recollected, not read). A core of a shared machine isn't as predictable alone.",
    )
    lines = [
        Line(name, AT_A_TIME, [1000 * float(np.percentile(found[n], at)) for n in AT_A_TIME])
        for name, at in QUANTILES.items()
        if at < 100
    ]
    rate = Line("a second", AT_A_TIME, [len(found[n]) / seconds for n in AT_A_TIME])
    panels = [Panel("Time of an inference, ms", lines), Panel("Inferences a second", [rate])]
    title = "One at a time against concurrently"
    return Result("2", title, head, rows, panels, "inferences at a time", said)


def _measured(number: int, seconds: float) -> list[float]:
    """Return the durations of inferences by threads that each infer without pause."""
    found: list[float] = []
    infer = _network()
    until_s = time.perf_counter() + seconds

    def work() -> None:
        mine: list[float] = []
        while (began_s := time.perf_counter()) < until_s:
            infer()
            mine.append(time.perf_counter() - began_s)
        found.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _network() -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, CHANNELS, 3, padding=1), torch.nn.ReLU()]
    for _ in range(3):
        layers += [torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers).eval()
    image = torch.zeros(1, 1, SIDE, SIDE)

    def infer() -> object:
        with torch.inference_mode():
            return network(image)

    for _ in range(WARM_UPS):
        infer()
    return infer


def _row(number: int, took_s: list[float], seconds: float, alone: int) -> list[str]:
    at = {name: 1000 * float(np.percentile(took_s, share)) for name, share in QUANTILES.items()}
    return [
        str(number),
        f"{len(took_s):,}",
        f"{len(took_s) / seconds:.0f}",
        f"{len(took_s) / alone:.2f}",
        *(f"{value:.2f}" for value in at.values()),
        f"{at['p99 ms'] / at['p50 ms']:.2f}",
    ]
