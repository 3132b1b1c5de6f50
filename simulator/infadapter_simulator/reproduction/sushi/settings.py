"""The parameters that are swept, one at a time, and their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from infadapter_simulator.reproduction.sushi.asked import CANDIDATES, EVERY, MACHINES, Machine


@dataclass(frozen=True, slots=True)
class Setting:
    """
    The parameters around which one is varied: a buffer larger than everything that all SubNets
    share.
    """

    machine: Machine
    every: int = EVERY
    most_candidates: int = CANDIDATES


@dataclass(frozen=True, slots=True)
class Sweep:
    title: str
    unit: str
    values: Mapping[str, Sequence[float]]  # by SuperNet
    put: Callable[[Setting, float], Setting]
    with_lookup: bool = False


def _buffer(setting: Setting, megabytes: float) -> Setting:
    machine = replace(setting.machine, buffer_bytes=round(1e6 * megabytes))
    return replace(setting, machine=machine)


def _bandwidth(setting: Setting, gb_s: float) -> Setting:
    return replace(setting, machine=replace(setting.machine, bandwidth_gb_s=gb_s))


def _compute(setting: Setting, factor: float) -> Setting:
    return replace(setting, machine=setting.machine.faster(factor))


def _both(*values: float) -> Mapping[str, Sequence[float]]:
    return dict.fromkeys(MACHINES, values)


SWEEPS: Mapping[str, Sweep] = MappingProxyType(
    {
        "every": Sweep(
            "Q: after so many queries the cache changes",
            "Q",
            _both(1, 2, 4, 8, 16, 32, 64, 128, 256),
            lambda setting, value: replace(setting, every=int(value)),
        ),
        "candidates": Sweep(
            "SubGraphs to choose from",
            "SubGraphs at most",
            _both(1, 2, 5, 10, 20, 50, 100, 200),
            lambda setting, value: replace(setting, most_candidates=int(value)),
            with_lookup=True,
        ),
        "buffer": Sweep(
            "Buffer for the SubGraph",
            "MB",
            {
                "resnet50": (1, 1.728, 4.194, 8, 12, 16, 24, 29),
                "mobilenetv3": (0.5, 1, 1.728, 2.5, 3.1, 3.8, 4.5, 5.2),
            },
            _buffer,
        ),
        "bandwidth": Sweep(
            "Bandwidth to what is off the chip",
            "GB/s",
            _both(0.9, 1.7, 3.42, 6.8, 9.6, 19.2, 38.4),
            _bandwidth,
        ),
        "compute": Sweep(
            "Computing, as a multiple of the machine's", "×", _both(0.25, 0.5, 1, 2, 4), _compute
        ),
    }
)
