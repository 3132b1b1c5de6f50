"""The measures of a simulated run (docs/design.md, section 11)."""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.holding import holding
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import FAILED, LATE, ON_TIME, REFUSED, Floats
from infadapter_simulator.world.world import World
from infadapter_solver import CPU
from infadapter_workload.holding import Holding
from infadapter_workload.measures import objective, shares

SAMPLE_S = 5.0
"""Sampling interval of planned accuracy in the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """
    The measures. Shares are of the requests that arrived; regrets are None until a bracket is
    known.
    """

    effective_accuracy: float
    violations: float
    late: float
    refused: float
    failed: float
    mean_cores: float
    mean_cost: float
    accuracy_loss_points: float
    objective: float
    p99_s: float  # of the answered
    peak_cores_held: float
    core_seconds_over_budget: float
    longest_over_budget_s: float
    plan_changes: float | None = None  # None: it makes no plans
    regret: float | None = None  # below the best schedule in hindsight
    regret_at_most: float | None = None  # below what no policy exceeds


def measured(world: World) -> Measures:
    """Return the measures of a finished run."""
    scenario, traffic = world.scenario, world.traffic
    outcome = traffic.outcomes()
    on_time = outcome == ON_TIME
    found = shares(
        len(outcome),
        accuracy_in_time=float(traffic.accuracies(on_time, accuracy_of_slots(world)).sum()),
        late=int((outcome == LATE).sum()),
        refused=int((outcome == REFUSED).sum()),
        failed=int((outcome == FAILED).sum()),
    )
    cost = held_mean(world, "price")
    answered = (outcome == ON_TIME) | (outcome == LATE)
    latency_s = (traffic.finish_s - traffic.arrivals_s)[answered]
    held = _held(world)
    changes_s = world.plan_changes_s
    return Measures(
        effective_accuracy=found.effective_accuracy,
        violations=found.violations,
        late=found.late,
        refused=found.refused,
        failed=found.failed,
        mean_cores=held_mean(world, "millicores") / 1000,
        mean_cost=cost,
        accuracy_loss_points=accuracy_loss_points(world),
        objective=objective(
            found.effective_accuracy,
            cost,
            budget_cost=scenario.objective.price_of(scenario.budget),
            accuracy_weight=scenario.objective.accuracy_weight,
            cost_weight=scenario.objective.cost_weight,
        ),
        p99_s=float(np.percentile(latency_s, 99)) if len(latency_s) else float("nan"),
        peak_cores_held=held.peak_cores,
        core_seconds_over_budget=held.core_seconds_over_budget,
        longest_over_budget_s=held.longest_over_budget_s,
        plan_changes=None if changes_s is None else float(len(changes_s)),
    )


def held_mean(world: World, what: str) -> float:
    """
    Return the mean of `price` or `millicores` held over the run: the larger of desired and
    allocated.
    """
    held = _held(world)
    total = held.cost_seconds if what == "price" else 1000 * held.core_seconds
    return total / max(world.seconds, 1)


def _held(world: World) -> Holding:
    return holding(world.held, world.scenario.budget.get(CPU, 0), 0.0, world.seconds)


def cores_over_time(world: World, step_s: float = SAMPLE_S) -> tuple[Floats, dict[str, Floats]]:
    """Return times, and the cores held by variant."""
    times = np.arange(0.0, world.seconds, step_s)
    found = {variant.name: np.zeros(len(times)) for variant in world.scenario.variants}
    by_slot: dict[int, int] = {}
    for held in world.held:
        change = held.millicores - by_slot.get(held.slot, 0)
        by_slot[held.slot] = held.millicores
        found[held.target.variant][times >= held.at_s] += change / 1000
    return times, found


def accuracy_over_time(world: World, step_s: float = SAMPLE_S) -> tuple[Floats, Floats]:
    """
    Return times, and the planned accuracy weighted by traffic shares; NaN where nothing served.

    With operating points it is the accuracy of the answers to requests that arrived in the
    following step, since traffic shares do not determine it.
    """
    times = np.arange(0.0, world.seconds, step_s)
    if any(speed.points for speed in world.scenario.speeds.values()):
        return times, _answered_accuracy(world, times, step_s)
    return times, _planned_accuracy(world, times)


def _planned_accuracy(world: World, times: Floats) -> Floats:
    scenario: Scenario = world.scenario
    if not world.router.routed:  # no pod was ever Ready
        return np.full(len(times), np.nan)
    since = np.array([at_s for at_s, _ in world.router.routed])
    planned = np.array(
        [
            sum(scenario.variant(name).accuracy * share for name, share in shares.items())
            if shares
            else np.nan
            for _, shares in world.router.routed
        ]
    )
    found: Floats = planned[np.maximum(np.searchsorted(since, times, side="right") - 1, 0)]
    return found


def _answered_accuracy(world: World, times: Floats, step_s: float) -> Floats:
    traffic, outcome = world.traffic, world.traffic.outcomes()
    answered = (outcome == ON_TIME) | (outcome == LATE)
    accuracy = traffic.accuracies(answered, accuracy_of_slots(world))
    edges = np.append(times, times[-1:] + step_s)
    arrivals_s = traffic.arrivals_s[answered]
    count = np.histogram(arrivals_s, bins=edges)[0]
    total = np.histogram(arrivals_s, bins=edges, weights=accuracy)[0]
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def accuracy_of_slots(world: World) -> Floats:
    """Return the accuracies of all pods' variants, by pod number."""
    names = world.variant_of_slots()
    return np.array([world.scenario.variant(name).accuracy for name in names])


def accuracy_loss_points(world: World) -> float:
    """
    Return the paper's accuracy loss: planned accuracy below the most accurate variant's, averaged
    over time.
    """
    _, planned = accuracy_over_time(world)
    if not np.isfinite(planned).any():
        return float("nan")
    return float(100 * (world.scenario.best_accuracy - np.nanmean(planned)))
