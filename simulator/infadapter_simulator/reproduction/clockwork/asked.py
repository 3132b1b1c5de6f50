"""Parameters of an experiment, and arrivals that several experiments share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_scheduler import POLICIES, Arrival, Model, Policy
from infadapter_simulator.reproduction.experiment import Tell

LAG_S = 0.0005
"""
Latency between controller and worker in each direction, s: assumed, half of what the released code
assumes.
"""

CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """
    The parameters. `minutes` is the virtual duration of each run, `table` a replacement for the
    shipped networks.
    """

    minutes: float
    tell: Tell
    table: Sequence[Model] = ()
    seed: int = 1

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    def draw(self, *of: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *of))


def policy_of(name: str, models: Sequence[Model]) -> Policy:
    return POLICIES[name](models, None, LAG_S)


def poisson(
    rate_rps: float,
    names: Sequence[str],
    slo_s: Callable[[float], float],
    until_s: float,
    draw: np.random.Generator,
) -> Iterator[Arrival]:
    """Yield a Poisson process over uniformly chosen models; the SLO may depend on the time."""
    now_s = 0.0
    while now_s < until_s:
        times = now_s + np.cumsum(draw.exponential(1 / rate_rps, CHUNK))
        for at_s, which in zip(times.tolist(), draw.integers(len(names), size=CHUNK), strict=True):
            if at_s >= until_s:
                return
            yield Arrival(at_s, names[which], slo_s(at_s))
        now_s = float(times[-1])
