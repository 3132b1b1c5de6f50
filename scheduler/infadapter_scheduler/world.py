"""A world in virtual time: arrivals, executors and their deviations, and what became of whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infadapter_scheduler.model import Model


class BrokenRule(Exception):
    """A policy asked for what no executor can do."""


@dataclass(frozen=True, slots=True)
class Arrival:
    arrival_s: float
    model: str
    slo_s: float


@dataclass(slots=True)
class Served:
    """What became of one arrival. `outcome` is None until that is known."""

    outcome: str | None = None
    decided_s: float = 0.0
    executor: str = ""
    batch: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    cold: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Executors and how they deviate from the table."""

    models: Mapping[str, Model]
    executors: int = 1
    pages: int | None = None
    lag_s: float = 0.0
    noise_sigma: float = 0.0
    seed: int = 0
    shared_load: bool = False


@dataclass(slots=True)
class Machine:
    """One executor: when it is free, and when each resident model's weights are there."""

    name: str
    free_s: float = 0.0
    load_free_s: float = 0.0
    there_s: dict[str, float] = field(default_factory=dict)
    used_pages: int = 0
