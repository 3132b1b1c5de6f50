"""SuperServe's experiments by their names, and for how long each runs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from infadapter_simulator.reproduction.result import Result
from infadapter_simulator.reproduction.superserve import bursts, faults, switching
from infadapter_simulator.reproduction.superserve.asked import Asked


class Experiment(NamedTuple):
    """Minutes of virtual time, for each workload: a few seconds' work, and by default."""

    run: Callable[[Asked], Result]
    quick_minutes: float
    minutes: float


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "bursty": Experiment(bursts.bursty_workloads, 0.005, 0.1),
        "time-varying": Experiment(bursts.rising_workloads, 0.005, 0.2),
        "trace": Experiment(bursts.real_trace, 0.01, 0.5),
        "switching": Experiment(switching.run, 0.005, 0.2),
        "faults": Experiment(faults.run, 0.02, 1.0),
    }
)
