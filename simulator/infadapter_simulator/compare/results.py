"""Results of a comparison."""

from dataclasses import dataclass

from infadapter_simulator.measures import Measures
from infadapter_simulator.part import Part
from infadapter_simulator.policies.hindsight.unavoidable import Missed
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The results of one policy, by seed."""

    name: str
    measures: tuple[Measures, ...]
    chosen: tuple[str, ...]  # the best candidate, where there were several
    series: Series | None  # of the first seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds for a scenario and a seed that hold for any policy."""

    requests: int
    upper: float | None  # no policy's objective is above it; None where nobody asked
    missed: Missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The results of several policies in one scenario."""

    part: Part
    scenario: Scenario
    seeds: tuple[int, ...]
    results: tuple[Result, ...]  # of what was asked for, in that order
    hindsight: Result | None  # the lower side of the bracket: the best schedule, carried out
    bounds: tuple[Bounds, ...]  # by seed
