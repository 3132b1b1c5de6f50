"""
The latency of each SubNet with each SubGraph cached: all that the scheduler knows of the hardware.

SUSHI (MLSys'23) calls it SushiAbs. It may come from a model of an accelerator or from measurements.
Milliseconds as in the files, so that comparisons with a query's limit are not affected by rounding.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = tuple[float, ...]
"""
What is used of each layer of the SuperNet, such as kernels and channels; absent layers are zero.
"""


class InvalidTable(ValueError):
    """The table is inconsistent; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class SubGraph:
    """
    Weights that may be cached near the compute units. `refill_ms` is the time to replace each other
    SubGraph.
    """

    name: str
    vector: Vector
    refill_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SubNet:
    """`latency_ms` with each SubGraph cached, in the table's order."""

    name: str
    accuracy: float
    vector: Vector
    latency_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """Rows are SubNets, columns SubGraphs. Raises InvalidTable."""

    subnets: tuple[SubNet, ...]
    subgraphs: tuple[SubGraph, ...]

    def __post_init__(self) -> None:
        _check_names("SubNets", [subnet.name for subnet in self.subnets])
        _check_names("SubGraphs", [subgraph.name for subgraph in self.subgraphs])
        first = self.subgraphs[0]
        both: tuple[SubGraph | SubNet, ...] = (*self.subgraphs, *self.subnets)
        for one in both:
            if len(one.vector) != len(first.vector):
                raise InvalidTable(
                    f"the vector of {one.name} has {len(one.vector)} numbers and that of "
                    f"{first.name} {len(first.vector)}: all need as many"
                )
        columns = len(self.subgraphs)
        if any(len(subnet.latency_ms) != columns for subnet in self.subnets):
            raise InvalidTable("each SubNet needs a latency for each SubGraph")
        if any(len(subgraph.refill_ms) not in (0, columns) for subgraph in self.subgraphs):
            raise InvalidTable("a SubGraph's refill needs a time after each SubGraph, or none")

    def refill_ms(self, before: int, after: int) -> float:
        """Return the time to cache one SubGraph in place of another; zero if unknown."""
        times = self.subgraphs[after].refill_ms
        return times[before] if times else 0.0

    def column(self, name: str) -> int:
        """Return the index of a SubGraph. Raises KeyError for an unknown name."""
        for at, subgraph in enumerate(self.subgraphs):
            if subgraph.name == name:
                return at
        raise KeyError(name)


def vectors(of: Sequence[SubNet] | Sequence[SubGraph]) -> npt.NDArray[np.float64]:
    return np.array([one.vector for one in of], dtype=np.float64)


def _check_names(what: str, names: Sequence[str]) -> None:
    if not names:
        raise InvalidTable(f"there are no {what}: give one at least")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise InvalidTable(f"two {what} are called {name!r}: give each its own name")
