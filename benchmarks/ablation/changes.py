"""What is different from the control as it is: parts of it taken back, or others in their place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from infadapter_forecasting import QuantileNetwork, Rates
from infadapter_forecasting.reserve import Reserve
from infadapter_operator.domain.service import ForecastMethod, Service
from infadapter_simulator.policies.ours import CYCLE_S
from infadapter_simulator.scenario import Scenario
from infadapter_solver import Variant

NETWORK_HORIZON_S = 5
"""The shortest of the network's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`patches`: by the name of what is replaced, what stands there instead."""

    title: str
    service: Callable[[Scenario, Service], Service] = lambda scenario, service: service
    patches: Mapping[str, object] = field(default_factory=dict)
    cycle_s: float = CYCLE_S


def _with(**fields: object) -> Callable[[Scenario, Service], Service]:
    return lambda scenario, service: replace(service, **fields)  # type: ignore[arg-type]


def _promising(ratio: float) -> Callable[[Scenario, Service], Service]:
    """Profiles that promise so much of what they should: measured on another machine."""

    def promised(variant: Variant) -> Variant:
        allocations = (replace(a, capacity_rps=a.capacity_rps * ratio) for a in variant.allocations)
        return replace(variant, allocations=tuple(allocations))

    return lambda scenario, service: replace(
        service, variants=tuple(map(promised, service.variants))
    )


@cache
def _network() -> QuantileNetwork:
    return QuantileNetwork.read()


def _by_network(rates: Rates, slo_s: float, now_rps: float, quantile: float) -> Reserve:
    rps = max(now_rps, float(_network().predict(rates, NETWORK_HORIZON_S, [quantile])[0]))
    return Reserve(rps, rps)


_OPERATOR = "infadapter_operator"
NO_BRIDGE = {f"{_OPERATOR}.rollout.rollout.is_short": lambda ground: False}
NO_TREND = {
    f"{_OPERATOR}.planning.planning_demand.rate_soon_rps": lambda samples, now_rps: now_rps,
}
NOTHING_LEARNT = {f"{_OPERATOR}.reconcile.as_learnt": lambda service, learnt: service}
OLD_FORECAST = {"forecast": ForecastMethod.LAST_MAXIMUM, "horizon_s": 60.0}

CHANGES = {
    "as-is": Change(title="as it is"),
    "no-bridge": Change(title="no bridge while pods start", patches=NO_BRIDGE),
    "no-trend": Change(title="the rate of now, no trend", patches=NO_TREND),
    "nothing-learnt": Change(title="nothing learnt from what pods deliver", patches=NOTHING_LEARNT),
    "fixed-quantile": Change(
        title="always the quantile 0.95",
        patches={
            f"{_OPERATOR}.planning.planning_demand.reserve_quantile": lambda service, rps: (
                service.quantile
            )
        },
    ),
    "last-maximum": Change(title="LastMaximum over 60 s", service=_with(**OLD_FORECAST)),
    "interval": Change(title="a plan every 30 s", service=_with(interval_s=30.0)),
    "stabilisation": Change(title="kept for 120 s", service=_with(stabilization_s=120.0)),
    "look-2": Change(title="a look every 2 s", cycle_s=2.0),
    "look-5": Change(title="a look every 5 s", cycle_s=5.0),
    "all-old": Change(
        title="all of these (look 2 s)",
        service=_with(**OLD_FORECAST, interval_s=30.0, stabilization_s=120.0),
        patches={**NO_BRIDGE, **NO_TREND, **NOTHING_LEARNT},
        cycle_s=2.0,
    ),
    "network": Change(
        title="not in: the quantile network for the near need",
        patches={f"{_OPERATOR}.planning.planning_demand.needed_soon": _by_network},
    ),
    "too-high": Change(title="profiles a quarter too high", service=_promising(1.25)),
    "too-high-unlearnt": Change(
        title="profiles a quarter too high, nothing learnt",
        service=_promising(1.25),
        patches=NOTHING_LEARNT,
    ),
    "too-low": Change(title="profiles a fifth too low", service=_promising(0.8)),
    "too-low-unlearnt": Change(
        title="profiles a fifth too low, nothing learnt",
        service=_promising(0.8),
        patches=NOTHING_LEARNT,
    ),
}
