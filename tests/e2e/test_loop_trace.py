"""
The loop on a real cluster: one service of the demo's ladder under a recorded trace and in bursts.
The tests share the service and follow each other; each lets it settle at a load first.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from infadapter_operator.planning.calibration import MAX_RATIO, MIN_RATIO
from infadapter_operator.rollout.traffic_split import FILL
from infadapter_workload.arrivals import constant_rate
from infadapter_workload.arrivals import played as arrivals_of
from infadapter_workload.outcomes import summarise
from infadapter_workload.trace import Array
from tests.e2e import trace
from tests.e2e.figures import Figures, keep_log
from tests.e2e.kube import Recorder, Seen, recording
from tests.e2e.live import (
    Live,
    cpu_in_force_m,
    cpu_wanted_m,
    planned_capacity_rps,
    restarts,
    variant_of,
)
from tests.e2e.load import SLO_MS, Load, failures, in_time, share, shares_by_variant, steady
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import INTERVAL_S, STABILIZATION_S, Rung, calm_rps
from tests.e2e.trace import (
    effective_accuracy,
    plan_in_force,
    plans_of,
    recorded_part,
    seconds_after_steps,
    timeline,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

Json = dict[str, Any]

PEAK = 1.2  # of what the third network serves with the whole budget
FOLLOWING = {"costWeight": "0.07", "loadingWeight": "0.001"}
"""
An objective for which following this load pays: when busy the second network alone is worth its
cores, and when quiet the third is by far worth those that it takes more.
"""


# --- the trace ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus
) -> tuple[Load, Recorder, Array, float]:
    """The trace, replayed once; what happened meanwhile is recorded."""
    if not trace.TRACE.exists():
        pytest.skip(f"no trace {trace.TRACE.name} at hand")
    part = recorded_part(PEAK * rungs["glyph-3"].capacity_rps())
    with glyphs.objective(FOLLOWING):
        with steady(glyphs.url, float(part.rates[: int(10 / trace.STEP_S)].mean())):
            glyphs.settle()
        with recording(glyphs.kube, "pods", "deployments", "inferenceservices") as recorder:
            load = Load(glyphs.url, arrivals_of(part, seed=3, step_s=trace.STEP_S))
            load.wait()
            keep_log("trace", timeline(load, recorder))
    return load, recorder, part.rates, trace.STEP_S


def test_requests_are_answered_and_in_time(
    played: tuple[Load, Recorder, Array, float], figures: Figures
) -> None:
    load, _, rates_rps, step_s = played
    outcomes = load.outcomes
    summary = summarise(outcomes, slo_s=SLO_MS / 1000)
    after_steps = seconds_after_steps(rates_rps, step_s)
    calm = [o for o in outcomes if int(o.scheduled_s) not in after_steps]
    answered = share(outcomes, lambda o: o.answered)
    figures.note("trace: seconds", trace.IN_S)
    figures.note("trace: requests", summary.arrived)
    figures.note(
        "trace: highest second, rps",
        max(np.bincount([int(o.scheduled_s) for o in outcomes])).item(),
    )
    figures.note("trace: answered 2xx", answered, ">= 0.999")
    figures.note("trace: refused", summary.refused)
    figures.note("trace: failed", summary.failed, "0")
    figures.note("trace: within the SLO", share(outcomes, in_time))
    figures.note("trace: within the SLO outside 20 s after a step", share(calm, in_time), ">= 0.97")
    figures.note("trace: seconds within 20 s after a step", len(after_steps))
    figures.note("trace: p50, p99 ms", [summary.p50_ms, summary.p99_ms])
    figures.note("trace: generator late p99 ms", summary.send_late_p99_ms)
    assert failures(outcomes) == []
    assert answered >= 0.999
    assert share(calm, in_time) >= 0.97


def test_the_plan_follows_the_load(
    played: tuple[Load, Recorder, Array, float], rungs: dict[str, Rung], figures: Figures
) -> None:
    load, recorder, _, _ = played
    seconds = np.arange(5, int(load.arrivals_s[-1]))
    demand_rps = np.array([load.rate_rps(load.start_s + s, 5.0) for s in seconds])
    plans = plans_of(recorder.since(0, "inferenceservices"))
    plan_at = [plan_in_force(plans, load.start_s + s) for s in seconds]
    capacity = np.array([planned_capacity_rps(plan) for plan in plan_at])
    accuracy = np.array([float(plan["accuracy"]) for plan in plan_at])
    quiet, busy = (
        demand_rps <= np.quantile(demand_rps, 0.3),
        demand_rps >= np.quantile(demand_rps, 0.7),
    )
    covered = float((capacity >= demand_rps).mean())
    summaries = [plan["summary"] for _, plan in plans]
    figures.note("trace: plans", len(summaries))
    figures.note(
        "trace: the plan's capacity covers the load of 5 s, part of the time", covered, ">= 0.9"
    )
    figures.note(
        "trace: planned accuracy when quiet, when busy",
        [accuracy[quiet].mean().item(), accuracy[busy].mean().item()],
    )
    figures.note(
        "trace: planned capacity when quiet, when busy, rps",
        [capacity[quiet].mean().item(), capacity[busy].mean().item()],
    )
    figures.note("trace: effective accuracy", effective_accuracy(load.outcomes, rungs))
    assert len(set(summaries)) >= 3
    assert capacity[busy].mean() > 1.5 * capacity[quiet].mean()
    assert accuracy[quiet].mean() > accuracy[busy].mean() + 0.01
    assert covered >= 0.9


def test_what_the_pods_deliver_is_learnt(
    played: tuple[Load, Recorder, Array, float],
    glyphs: Live,
    prometheus: Prometheus,
    figures: Figures,
) -> None:
    found = prometheus.query(f'infadapter_learnt_capacity_ratio{{service="{glyphs.name}"}}')
    ratios = {one["metric"]["variant"]: float(one["value"][1]) for one in found}
    figures.note("trace: what pods deliver, of what their profile promises", ratios)
    assert ratios
    assert all(MIN_RATIO <= ratio <= MAX_RATIO for ratio in ratios.values())


def test_cpu_changes_in_place_and_restarts_nothing(
    played: tuple[Load, Recorder, Array, float], figures: Figures
) -> None:
    _, recorder, _, _ = played
    pods = [seen for seen in recorder.since(0, "pods") if variant_of(seen.object)]
    sizes: dict[str, list[int]] = {}
    for seen in pods:
        size = cpu_in_force_m(seen.object)
        if size and (not sizes.get(seen.name) or sizes[seen.name][-1] != size):
            sizes.setdefault(seen.name, []).append(size)
    resizes = sum(len(of_one) - 1 for of_one in sizes.values())
    figures.note("trace: pods", len(sizes))
    figures.note("trace: resizes in place", resizes, ">= 1")
    figures.note("trace: container restarts", sum(restarts(seen.object) for seen in pods), "0")
    assert resizes >= 1
    assert [seen.name for seen in pods if restarts(seen.object)] == []


# --- shares -----------------------------------------------------------------------------------


def test_deployments_sizes_and_weights_match_the_plan(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus, figures: Figures
) -> None:
    """
    At a load that takes two networks. Weights stay while new ones would bring less than half a
    point of accuracy, so what they bring is compared, and that the router does as it was told.
    """
    rps = 1.2 * rungs["glyph-3"].capacity_rps()
    with steady(glyphs.url, rps) as load:
        glyphs.settle()  # Deployments, Ready pods, sizes in force, routes
        plan, since_s = glyphs.plan, time.time()
        time.sleep(20)
        told = told_shares(prometheus, glyphs)
        assert glyphs.plan["allocations"] == plan["allocations"], "it was not at rest"
        outcomes = load.since(since_s)
    shares, expected = shares_by_variant(outcomes), expected_shares(plan, rps)
    figures.note("shares: plan", plan["summary"])
    figures.note("shares: answered", rounded(shares))
    figures.note("shares: told", rounded(told))
    figures.note("shares: expected", rounded(expected))
    assert set(shares) <= {p["variant"] for p in plan["allocations"]}
    for name, part in told.items():
        assert shares.get(name, 0.0) == pytest.approx(part, abs=0.05)
    assert accuracy(shares, rungs) >= accuracy(expected, rungs) - 0.01
    assert share(outcomes, lambda o: o.answered) >= 0.999


def told_shares(prometheus: Prometheus, live: Live) -> dict[str, float]:
    """What the router has confirmed."""
    labels = f'namespace="{live.kube.namespace}",service="{live.name}"'
    told = prometheus.query(f"infadapter_share_ratio{{{labels}}} > 0")
    return {series["metric"]["variant"]: float(series["value"][1]) for series in told}


def accuracy(shares: dict[str, float], rungs: dict[str, Rung]) -> float:
    return sum(rungs[name].accuracy * part for name, part in shares.items())


def rounded(shares: dict[str, float]) -> dict[str, float]:
    return {name: round(part, 3) for name, part in sorted(shares.items())}


def expected_shares(plan: Json, rps: float) -> dict[str, float]:
    """The most accurate first, each up to nine tenths of its capacity."""
    served: dict[str, float] = {}
    rest = rps
    planned = {p["variant"]: p for p in plan["allocations"]}
    for name in sorted(planned, reverse=True):  # glyph-5 is the most accurate
        most_rps = planned[name]["pods"] * float(planned[name]["capacityRps"])
        served[name] = min(rest, FILL * most_rps)
        rest -= served[name]
    total = sum(served.values())
    return {name: part / total for name, part in served.items()}


# --- bursts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(3))
def test_a_burst_is_answered_with_capacity_within_five_seconds(
    turn: int, glyphs: Live, rungs: dict[str, Rung], figures: Figures
) -> None:
    """From the first second above Ready capacity, its beginning, to the first write that adds."""
    with steady(glyphs.url, calm_rps(rungs), seed=turn) as calm:
        glyphs.settle(
            STABILIZATION_S + 2 * INTERVAL_S
        )  # until it has come down from what was before
        ready_rps, most_rps = planned_capacity_rps(glyphs.plan), rungs["glyph-1"].capacity_rps()
        burst_rps = min(2.5 * ready_rps, 0.9 * most_rps) - calm_rps(rungs)
        assert burst_rps + calm_rps(rungs) > 1.3 * ready_rps, glyphs.why()
        with recording(glyphs.kube, "deployments", "pods") as recorder:
            time.sleep(1 + 0.37 * turn)  # another phase of looks and scrapes each time
            before = list(recorder.seen)
            burst = Load(glyphs.url, constant_rate(burst_rps, 12, seed=turn))
            outcomes = burst.wait()
        seconds = range(int(burst.start_s), int(burst.start_s) + 12)
        above_s = next(
            s for s in seconds if burst.rate_rps(s + 1) + calm.rate_rps(s + 1) > ready_rps
        )
        first_s = first_growth_s(before, recorder.since(burst.start_s))
    assert first_s is not None, "no capacity was added"
    figures.note(f"burst {turn}: to the first capacity write, s", first_s - above_s, "<= 5")
    figures.note(f"burst {turn}: from Ready rps to rps", [ready_rps, burst_rps + calm_rps(rungs)])
    figures.note(f"burst {turn}: within the SLO", share(outcomes, in_time))
    assert first_s - above_s <= 5
    assert failures(outcomes) == []


def first_growth_s(before: Sequence[Seen], since: Sequence[Seen]) -> float | None:
    """When replicas or a pod's CPU request first grew."""
    sizes = {(s.kind, s.name): size_of(s) for s in before}
    for seen in since:
        key = (seen.kind, seen.name)
        if seen.kind == "pods" and key not in sizes:
            sizes[key] = size_of(seen)  # its Deployment has grown before
        elif (
            seen.event != "DELETED"
            and variant_of(seen.object)
            and size_of(seen) > sizes.get(key, 0)
        ):
            return seen.at_s
        sizes[key] = size_of(seen)
    return None


def size_of(seen: Seen) -> int:
    if seen.kind == "deployments":
        return int(seen.object["spec"]["replicas"])
    return cpu_wanted_m(seen.object)
