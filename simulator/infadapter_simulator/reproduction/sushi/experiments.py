"""The simulated experiments by name."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from infadapter_simulator.reproduction.result import Result
from infadapter_simulator.reproduction.sushi import locality, published, sweeps
from infadapter_simulator.reproduction.sushi.asked import MACHINES, Asked
from infadapter_simulator.reproduction.sushi.settings import SWEEPS

Experiment = Callable[[Asked], Result]

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "published": published.run,
        **{supernet: partial(locality.run, supernet) for supernet in MACHINES},
        **{name: partial(sweeps.run, name) for name in SWEEPS},
    }
)
