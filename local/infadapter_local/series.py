"""A run's time series, in seconds of the trace, for plots and JSON. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_local.measures import accuracies
from infadapter_local.run import Run, Tick
from infadapter_local.workload import LEAD_IN_S
from infadapter_workload.outcomes import Outcome, accuracy_in_time, percentile

BIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Per second from requests, and per cycle from the loop. NaN where there is no value."""

    second_s: list[float]  # the middle of each second
    arrived_rps: list[float]
    p50_ms: list[float]
    p99_ms: list[float]
    effective_accuracy: list[float]
    cycle_s: list[float]
    forecast_rps: list[float]
    planned_rps: list[float]
    capacity_rps: list[float]
    cores: dict[str, list[float]]  # held, by variant
    shares: dict[str, list[float]]  # of the traffic, by variant
    points: dict[str, list[float]]  # of the answers, by operating point; empty without points
    core_seconds: list[float]  # so far


def series_of(run: Run) -> Series:
    """Return the run's series from the end of the lead-in on."""
    duration_s = run.workload.duration_s
    ticks = [tick for tick in run.ticks if LEAD_IN_S <= tick.at_s < LEAD_IN_S + duration_s]
    bins = _binned(run.outcomes, duration_s)
    accuracy, slo_s = accuracies(run.service), run.service.slo_s
    names = [variant.name for variant in run.service.variants]
    points = _points(run)
    return Series(
        second_s=[(number + 0.5) * BIN_S for number in range(len(bins))],
        arrived_rps=[len(each) / BIN_S for each in bins],
        p50_ms=[_latency_ms(each, 50) for each in bins],
        p99_ms=[_latency_ms(each, 99) for each in bins],
        effective_accuracy=[_effective(each, accuracy, slo_s) for each in bins],
        cycle_s=[tick.at_s - LEAD_IN_S for tick in ticks],
        forecast_rps=[_or_nan(tick.cycle.forecast_rps) for tick in ticks],
        planned_rps=[_planned_rps(tick) for tick in ticks],
        capacity_rps=[tick.cycle.ready_capacity_rps for tick in ticks],
        cores={n: [tick.millicores.get(n, 0) / 1000 for tick in ticks] for n in names},
        shares={n: [_share(tick, n) for tick in ticks] for n in names},
        points={n: [_answered_at(each, n) for each in bins] for n in points},
        core_seconds=_cumulated(ticks),
    )


def _binned(outcomes: Sequence[Outcome], duration_s: float) -> list[list[Outcome]]:
    """Group outcomes by the second in which they were due."""
    bins: list[list[Outcome]] = [[] for _ in range(max(1, round(duration_s / BIN_S)))]
    for outcome in outcomes:
        number = int((outcome.scheduled_s - LEAD_IN_S) // BIN_S)
        if 0 <= number < len(bins):
            bins[number].append(outcome)
    return bins


def _latency_ms(outcomes: Sequence[Outcome], percent: float) -> float:
    return _or_nan(percentile([1000 * o.latency_s for o in outcomes if o.answered], percent))


def _effective(outcomes: Sequence[Outcome], accuracy: dict[str, float], slo_s: float) -> float:
    if not outcomes:
        return float("nan")
    return accuracy_in_time(outcomes, accuracy, slo_s) / len(outcomes)


def _points(run: Run) -> list[str]:
    """Return the operating points, the least accurate first, as the variants are."""
    profiles = (run.service.profiles.get(variant.name) for variant in run.service.variants)
    points = [p for profile in profiles if profile for p in profile.operating_points]
    return [point.name for point in sorted(points, key=lambda point: point.accuracy)]


def _answered_at(outcomes: Sequence[Outcome], point: str) -> float:
    answered = [outcome for outcome in outcomes if outcome.answered]
    return sum(o.point == point for o in answered) / len(answered) if answered else 0.0


def _planned_rps(tick: Tick) -> float:
    return tick.cycle.decision.demand_rps if tick.cycle.decision else float("nan")


def _share(tick: Tick, variant: str) -> float:
    return sum(share for target, share in tick.cycle.shares.items() if target.variant == variant)


def _cumulated(ticks: Sequence[Tick]) -> list[float]:
    at_s = np.array([tick.at_s for tick in ticks] or [0.0])
    cores = np.array([sum(tick.millicores.values()) / 1000 for tick in ticks] or [0.0])
    spent = np.concatenate([[0.0], np.cumsum(np.diff(at_s) * cores[:-1])])
    return [float(value) for value in spent]


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
