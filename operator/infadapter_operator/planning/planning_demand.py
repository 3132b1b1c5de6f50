"""
The planning demand, computed from the history alone.

It is the current rate with its reserve; beside it the demand of the stabilisation window, for which
running pods may stay.
"""

from dataclasses import dataclass, field, replace

from infadapter_forecasting.forecaster import Rates
from infadapter_forecasting.reserve import (
    MEMORY_S,
    Reserve,
    highest_need_rps,
    latest_need_rps,
    needed_soon,
)
from infadapter_operator.delays import RESIZE_S, START_S
from infadapter_operator.domain.load import History
from infadapter_operator.domain.service import ForecastMethod, Service
from infadapter_operator.planning.forecast import history_s, quantile_forecast
from infadapter_operator.planning.newsvendor import reserve_quantile
from infadapter_operator.planning.rates import (
    every_second,
    highest_rps,
    latest_seconds,
    rate_now_rps,
    rate_soon_rps,
)
from infadapter_solver.candidates import LEAST_DEMAND_RPS

WARMING_RPS = 1.0
"""Demand that is planned for before any load is known."""


LEAST_RESERVE_RATIO = 0.1
"""
Least reserve, as a share of the current rate, to which the factor of a burning error budget
applies.
"""

NOW_S = (1, 2, 3)
"""Window lengths (s) of the current need. Longer windows would include load that may be over."""

REACHED_WITHIN_S = START_S + RESIZE_S
"""A plan that is outgrown sooner than this (s) was out of date before its pods were Ready."""

MOST_GROWTH = 2.0
"""Upper limit of an extrapolation, as a multiple of the current rate."""

MOST_SAMPLES = 30
"""Number of samples that cover these windows, however often the loop runs."""


@dataclass(frozen=True, slots=True)
class Load:
    """The measured load and the rates derived from it, computed once per cycle."""

    history: History
    now_rps: float
    soon_rps: float  # must be served now: ahead of the rate while it rises


def measured_load(service: Service, history: History) -> Load:
    """
    Return the load with the rate that must be served now: the current rate, extrapolated while it
    rises, and at least what no queue could hold back within the SLO.
    """
    samples = history.samples
    rps = rate_now_rps(samples)
    recent = latest_seconds(samples[-MOST_SAMPLES:], NOW_S[-1])
    needed_rps = latest_need_rps(recent, service.slo_s, NOW_S)
    return Load(history, rps, max(rate_soon_rps(samples, rps), needed_rps))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningDemand:
    """
    The demand in rps. Plans are made for `rps`. The current plan may stay down to `least_rps`. For
    `kept_rps` running pods may stay, but nothing new is started.
    """

    rps: float  # the forecast, the rate of now, the minimum
    least_rps: float
    kept_rps: float
    forecast_rps: float  # the quantile over the planning horizon
    observed_rps: float  # the highest rate of the stabilisation window, and that of now
    now_rps: float
    rates: Rates = field(repr=False, compare=False)  # by second, latest last


def planning_demand(service: Service, load: Load, now_s: float) -> PlanningDemand:
    """
    Return the planning demand: the highest of forecast, current rate and minimum, and what the
    window saw.
    """
    history, now_rps = load.history, load.soon_rps
    floor_rps = max(now_rps, service.minimum_rps, LEAST_DEMAND_RPS)
    rates = every_second(history.samples, MEMORY_S)
    if service.forecast is ForecastMethod.AUTO:
        reserve, seen_rps = _near(service, rates, now_rps)
    else:
        forecast_rps = quantile_forecast(
            service.forecast,
            history,
            service.planning_horizon_s,
            service.quantile,
            service.calendar,
        )
        reserve = Reserve(forecast_rps, forecast_rps)
        seen_rps = highest_rps(history.samples, now_s - service.kept_s)
    return PlanningDemand(
        rps=max(reserve.rps, floor_rps),
        least_rps=max(reserve.least_rps, floor_rps),
        kept_rps=max(reserve.rps, seen_rps, floor_rps),
        forecast_rps=reserve.rps,
        observed_rps=max(seen_rps, now_rps),
        now_rps=now_rps,
        rates=rates,
    )


def with_reserve(demand: PlanningDemand, factor: float) -> PlanningDemand:
    """
    Return the demand with `factor` times its reserve. A steady load has almost no reserve, so at
    least `LEAST_RESERVE_RATIO` of the rate is multiplied.
    """
    reserve_rps = max(demand.rps - demand.now_rps, LEAST_RESERVE_RATIO * demand.now_rps)
    more_rps = (factor - 1) * reserve_rps
    rps = demand.rps + more_rps
    return replace(
        demand,
        rps=rps,
        least_rps=demand.least_rps + more_rps,
        kept_rps=max(demand.kept_rps, rps),
    )


def at_most(demand: PlanningDemand, most_rps: float) -> PlanningDemand:
    return replace(
        demand,
        rps=min(demand.rps, most_rps),
        least_rps=min(demand.least_rps, most_rps),
        kept_rps=max(demand.observed_rps, min(demand.kept_rps, most_rps)),
    )


def extrapolated_rps(planned_rps: float, age_s: float, now_rps: float) -> float:
    """
    Return the rate by the time a new plan is reached, if it keeps growing exponentially as it has
    outgrown the last plan, which is `age_s` old. A plan for less would start pods that the next one
    discards.
    """
    growth: float = (now_rps / planned_rps) ** (REACHED_WITHIN_S / age_s)
    return now_rps * min(MOST_GROWTH, growth)


def _near(service: Service, rates: Rates, now_rps: float) -> tuple[Reserve, float]:
    """Return the reserve for the next seconds, and the need within the stabilisation window."""
    quantile = reserve_quantile(service, now_rps)
    reserve = needed_soon(rates, service.slo_s, now_rps, quantile)
    return reserve, highest_need_rps(rates, service.slo_s, service.kept_s)


def warming_demand_rps(service: Service) -> float:
    return max(service.minimum_rps, WARMING_RPS)


def is_young(service: Service, history: History) -> bool:
    """Whether the history since its last gap is too short to remove capacity."""
    least_s = service.stabilization_s - max(1.0, service.interval_s)
    return not history.is_unbroken_for(least_s)


def planning_window_s(service: Service) -> float:
    """Return how much history planning needs, s."""
    wanted_s = history_s(service.forecast, service.planning_horizon_s, service.calendar.season)
    return max(wanted_s, recent_window_s(service))


def recent_window_s(service: Service) -> float:
    """Return how much of the history must have the full resolution, s."""
    return service.kept_s + service.interval_s
