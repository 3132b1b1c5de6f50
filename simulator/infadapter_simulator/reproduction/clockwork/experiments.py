"""The experiments by section, with their durations."""

from collections.abc import Mapping
from types import MappingProxyType

from infadapter_simulator.reproduction.clockwork import (
    azure,
    beside_others,
    isolation,
    low_slos,
    scale,
    thousands,
)
from infadapter_simulator.reproduction.clockwork.asked import Asked
from infadapter_simulator.reproduction.experiment import Experiment

EXPERIMENTS: Mapping[str, Experiment[Asked]] = MappingProxyType(
    {
        "6.1": Experiment(beside_others.run, 0.02, 1.0),
        "6.2": Experiment(thousands.run, 0.5, 15.0),
        "6.3": Experiment(low_slos.run, 0.1, 2.0),
        "6.4": Experiment(isolation.run, 0.1, 2.0),
        "6.5": Experiment(azure.run, 0.1, 2.0),
        "6.6": Experiment(scale.run, 0.05, 1.0),
    }
)
