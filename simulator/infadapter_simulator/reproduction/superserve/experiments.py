"""SuperServe's experiments by name, with their durations."""

from collections.abc import Mapping
from types import MappingProxyType

from infadapter_simulator.reproduction.experiment import Experiment
from infadapter_simulator.reproduction.superserve import bursts, faults, switching
from infadapter_simulator.reproduction.superserve.asked import Asked

EXPERIMENTS: Mapping[str, Experiment[Asked]] = MappingProxyType(
    {
        "bursty": Experiment(bursts.bursty_workloads, 0.005, 0.1),
        "time-varying": Experiment(bursts.rising_workloads, 0.005, 0.2),
        "trace": Experiment(bursts.real_trace, 0.01, 0.5),
        "switching": Experiment(switching.run, 0.005, 0.2),
        "faults": Experiment(faults.run, 0.02, 1.0),
    }
)
