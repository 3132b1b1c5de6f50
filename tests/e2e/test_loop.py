"""
The loop on a real cluster: one service with the demo's ladder, a real trace, and what may go wrong.

The tests share the service and follow each other; each begins by letting it settle at a load.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from infadapter_operator.names import SERVICE_LABEL
from infadapter_variants.loadgen import Array, Outcome, constant_rate, piecewise_rate, summarise
from infadapter_variants.loadgen.traces import compressed, cut, read_trace, scaled
from tests.e2e.conftest import operator_pod
from tests.e2e.figures import Figures
from tests.e2e.host import ROOT
from tests.e2e.kube import WRITES, Kube, Recorder, Seen, recording, wait_for
from tests.e2e.live import (
    Live,
    cpu_in_force_m,
    cpu_wanted_m,
    planned_capacity_rps,
    restarts,
    variant_of,
)
from tests.e2e.load import Load, share, shares_by_variant, steady
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import BUDGET_M, SLO_MS, Rung, ladder, profile, service, variant

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

Json = dict[str, Any]
TRACE = ROOT.parent / "shared/data/twitter2021/day15_bursty_1260s.csv"
TRACE_FROM_S, TRACE_FOR_S = 560, 600
TRACE_IN_S = float(os.environ.get("INFADAPTER_E2E_TRACE_SECONDS", "180"))
INTERVAL_S, STABILIZATION_S = 5, 15
SLO_S = SLO_MS / 1000
AFTER_STEP_S = 20
NAME = "glyphs"


@pytest.fixture(scope="module")
def glyphs(kube: Kube, rungs: dict[str, Rung], figures: Figures) -> Iterator[Live]:
    live = Live(kube, NAME)
    created_s = time.time()
    kube.create("inferenceservices", service(NAME, ladder(NAME)))
    wait_for("a plan", lambda: live.plan, 90)
    wait_for("the service's address", lambda: kube.find("services", NAME), 30)
    wait_for("a pod that is routed to", live.routed, 120)
    figures.note("from create to the first pod with traffic, s", time.time() - created_s)
    yield live
    kube.delete("inferenceservices", NAME)


def capacity_rps(rungs: dict[str, Rung], name: str, cpu_m: int = BUDGET_M) -> float:
    return rungs[name].capacity_rps(cpu_m)


def calm_rps(rungs: dict[str, Rung]) -> float:
    """What the second largest can serve with most of the budget."""
    return 0.6 * capacity_rps(rungs, "glyph-4")


def in_time(outcome: Outcome) -> bool:
    return outcome.answered and outcome.latency_s <= SLO_S


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Neither answered nor refused with a Retry-After: what nobody may lose."""
    return [o for o in outcomes if not o.answered and not o.refused]


# --- the trace ---------------------------------------------------------------------------------


def trace_rates(rungs: dict[str, Rung]) -> tuple[Array, float]:
    """
    The rates and for how long each holds: ten minutes of the recorded trace, its highest 10 s as
    much as the second smallest network can just serve alone.
    """
    part = cut(read_trace(TRACE), start_s=TRACE_FROM_S, duration_s=TRACE_FOR_S)
    peak = np.convolve(part.rates_rps, np.ones(10) / 10, "valid").max()
    scale = 0.8 * capacity_rps(rungs, "glyph-2") / peak
    played = scaled(compressed(part, TRACE_IN_S), scale)
    return played.rates_rps, played.step_s


def seconds_after_steps(rates_rps: Array, step_s: float) -> set[int]:
    """
    The seconds within 20 s of a step: the load of 3 s is a fifth above the highest of the 15 s
    before, which is all that the operator plans to keep in reserve.
    """
    per_second = [
        rates_rps[int(s / step_s) : max(int(s / step_s) + 1, int((s + 1) / step_s))].mean()
        for s in range(int(len(rates_rps) * step_s))
    ]
    smooth = [float(np.mean(per_second[max(0, s - 2) : s + 1])) for s in range(len(per_second))]
    after: set[int] = set()
    for s in range(1, len(smooth)):
        before = max(smooth[max(0, s - STABILIZATION_S - 3) : max(1, s - 2)])
        if smooth[s] > 1.2 * before:
            after |= set(range(s, s + AFTER_STEP_S))
    return after


@pytest.fixture(scope="module")
def played(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus
) -> Iterator[tuple[Load, Recorder, Array, float]]:
    """The trace, replayed once; what happened meanwhile is recorded."""
    if not TRACE.exists():
        pytest.skip(f"no trace {TRACE.name} at hand")
    rates_rps, step_s = trace_rates(rungs)
    with steady(glyphs.url, float(rates_rps[: int(10 / step_s)].mean())):
        glyphs.settle()
    with recording(glyphs.kube, "pods", "deployments", "inferenceservices") as recorder:
        load = Load(glyphs.url, piecewise_rate(rates_rps, seed=3, step_s=step_s))
        load.wait()
        yield load, recorder, rates_rps, step_s


def test_requests_are_answered_and_in_time(
    played: tuple[Load, Recorder, Array, float], figures: Figures
) -> None:
    load, _, rates_rps, step_s = played
    outcomes = load.outcomes
    summary = summarise(outcomes, slo_s=SLO_S)
    after_steps = seconds_after_steps(rates_rps, step_s)
    calm = [o for o in outcomes if int(o.scheduled_s) not in after_steps]
    answered = share(outcomes, lambda o: o.answered)
    figures.note("trace: seconds", TRACE_IN_S)
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


def plans_of(seen: Sequence[Seen]) -> list[tuple[float, Json]]:
    """When each plan was first seen."""
    plans: list[tuple[float, Json]] = []
    for one in seen:
        plan = (one.object.get("status") or {}).get("plan")
        if (
            one.name == NAME
            and plan
            and (not plans or plans[-1][1]["allocations"] != plan["allocations"])
        ):
            plans.append((one.at_s, plan))
    return plans


def plan_in_force(plans: list[tuple[float, Json]], at_s: float) -> Json:
    return next((plan for since_s, plan in reversed(plans) if since_s <= at_s), plans[0][1])


def effective_accuracy(outcomes: Sequence[Outcome], rungs: dict[str, Rung]) -> float:
    """Of what arrived: the accuracy of the network that answered in time, else nothing."""
    worth = sum(rungs[o.variant].accuracy for o in outcomes if in_time(o) and o.variant)
    return worth / len(outcomes)


# --- at rest -----------------------------------------------------------------------------------


def test_deployments_sizes_and_weights_match_the_plan(
    glyphs: Live, rungs: dict[str, Rung], figures: Figures
) -> None:
    """At a load that takes two networks, so that shares say something."""
    rps = 0.5 * (capacity_rps(rungs, "glyph-3") + capacity_rps(rungs, "glyph-4"))
    with steady(glyphs.url, rps) as load:
        glyphs.settle()  # Deployments, Ready pods, sizes in force, routes
        plan, since_s = glyphs.plan, time.time()
        time.sleep(20)
        assert glyphs.plan["allocations"] == plan["allocations"], "it was not at rest"
        outcomes = load.since(since_s)
    shares = shares_by_variant(outcomes)
    expected = expected_shares(plan, rps)
    figures.note("at rest: plan", plan["summary"])
    figures.note(
        "at rest: shares answered", {name: round(s, 3) for name, s in sorted(shares.items())}
    )
    figures.note(
        "at rest: shares expected", {name: round(s, 3) for name, s in sorted(expected.items())}
    )
    assert set(shares) <= {p["variant"] for p in plan["allocations"]}
    for name in set(shares) | set(expected):
        assert shares.get(name, 0.0) == pytest.approx(expected.get(name, 0.0), abs=0.12)
    answered = sum(rungs[name].accuracy * part for name, part in shares.items())
    assert answered >= float(plan["accuracy"]) - 0.01
    assert share(outcomes, lambda o: o.answered) >= 0.999


def expected_shares(plan: Json, rps: float) -> dict[str, float]:
    """The most accurate first, each up to its capacity."""
    served: dict[str, float] = {}
    rest = rps
    accuracy = {p["variant"]: p for p in plan["allocations"]}
    for name in sorted(accuracy, reverse=True):  # glyph-5 is the most accurate
        planned = accuracy[name]
        served[name] = min(rest, planned["pods"] * float(planned["capacityRps"]))
        rest -= served[name]
    return {name: part / rps for name, part in served.items()}


WRITTEN_BY_US = {
    *("inferenceservices", "variantprofiles", "deployments", "pods", "services"),
    *("configmaps", "httproutes", "events"),
}


def test_at_rest_nothing_is_written(glyphs: Live, rungs: dict[str, Rung], figures: Figures) -> None:
    """
    Five intervals of steady Poisson load. The API server's counters know no user, but at rest
    nobody writes to these kinds; every object's version says the same.
    """
    with steady(glyphs.url, calm_rps(rungs), seed=7) as load:
        glyphs.settle()
        before, writes = versions(glyphs), write_counts(glyphs.kube)
        since_s = time.time()
        time.sleep(5 * INTERVAL_S + 2)
        after, now = versions(glyphs), write_counts(glyphs.kube)
        outcomes = load.since(since_s)
    grown = {key: count - writes.get(key, 0) for key, count in now.items()}
    written = {" ".join(key): count for key, count in grown.items() if count}
    figures.note("at rest: write requests in five intervals", written or 0, "0")
    figures.note("at rest: answered 2xx", share(outcomes, lambda o: o.answered))
    assert after == before
    assert written == {}


def versions(live: Live) -> dict[str, str]:
    kinds = ("inferenceservices", "deployments", "pods", "services", "configmaps")
    return {
        f"{kind}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
        for kind in kinds
        for each in live.kube.list(kind)
        if each["metadata"]["name"] == live.name
        or (each["metadata"].get("labels") or {}).get(SERVICE_LABEL) == live.name
    }


def write_counts(kube: Kube) -> dict[tuple[str, str], int]:
    """Requests so far by verb and kind, of the kinds that the operator writes."""
    counts: dict[tuple[str, str], int] = {}
    for line in kube.text("/metrics").splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if (
            labels["verb"] in WRITES
            and labels["resource"] in WRITTEN_BY_US
            and not labels.get("dry_run")
        ):
            name = "/".join(filter(None, (labels["resource"], labels["subresource"])))
            key = (labels["verb"], name)
            counts[key] = counts.get(key, 0) + int(float(line.rsplit(" ", 1)[1]))
    return counts


# --- bursts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(3))
def test_a_burst_is_answered_with_capacity_within_five_seconds(
    turn: int, glyphs: Live, rungs: dict[str, Rung], figures: Figures
) -> None:
    """From the first second above Ready capacity, its beginning, to the first write that adds."""
    with steady(glyphs.url, calm_rps(rungs), seed=turn) as calm:
        glyphs.settle()
        ready_rps = planned_capacity_rps(glyphs.plan)
        most_rps = 0.9 * capacity_rps(rungs, "glyph-1")
        burst_rps = min(2.5 * ready_rps, most_rps) - calm_rps(rungs)
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


# --- Prometheus --------------------------------------------------------------------------------


def test_the_dashboard_shows_data(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus
) -> None:
    board = json.loads((ROOT / "helm/infadapter/dashboards/infadapter.json").read_text())
    words = {"namespace": glyphs.kube.namespace, "service": NAME, "__rate_interval": "15s"}
    empty = []
    with steady(glyphs.url, calm_rps(rungs)):
        time.sleep(15)
        for panel in board["panels"]:
            for target in panel["targets"]:
                query = re.sub(r"\$(\w+)", lambda m: words[m[1]], target["expr"])
                if not any(np.isfinite(float(s["value"][1])) for s in prometheus.query(query)):
                    empty.append(f"{panel['title']}: {query}")
    assert empty == []


def test_the_alerts_are_evaluated_and_quiet(glyphs: Live, prometheus: Prometheus) -> None:
    firing = prometheus.query('ALERTS{alertstate="firing"}')
    assert [alert["metric"]["alertname"] for alert in firing] == []


def test_prometheus_scrapes_operator_router_and_servers(
    glyphs: Live, prometheus: Prometheus
) -> None:
    pods = {pod["metadata"]["name"] for pod in glyphs.pods()}
    up = {s["metric"]["pod"] for s in prometheus.query("up == 1")}
    assert pods <= up
    assert any(name.startswith(f"{NAME}-router") for name in up)
    assert any(name.startswith("infadapter") for name in up)


def test_a_killed_prometheus_holds_the_plan(
    glyphs: Live, rungs: dict[str, Rung], prometheus: Prometheus, figures: Figures
) -> None:
    """The load falls meanwhile, so that a plan which is not held would shrink."""
    busy_rps = 0.7 * capacity_rps(rungs, "glyph-3")
    with steady(glyphs.url, busy_rps) as load:
        glyphs.settle()
        plan, running = glyphs.plan, specs(glyphs)
        killed_s = time.time()
        prometheus.kill()
        glyphs.wait_for_condition("MetricsFresh", "False", 60)
        figures.note("Prometheus killed: to MetricsFresh=False, s", time.time() - killed_s)
        outcomes = load.stop()
    with steady(glyphs.url, 0.2 * busy_rps, seed=1) as load:
        time.sleep(STABILIZATION_S + 3 * INTERVAL_S)
        assert glyphs.plan["allocations"] == plan["allocations"]
        assert specs(glyphs) == running
        assert glyphs.condition("FallbackActive") == "True"
        back_s = time.time()
        prometheus.start()
        glyphs.wait_for_condition("MetricsFresh", "True", 60)
        figures.note("Prometheus back: to MetricsFresh=True, s", time.time() - back_s)
        wait_for(
            "the plan follows again", lambda: glyphs.plan["allocations"] != plan["allocations"], 90
        )
        outcomes = [*outcomes, *load.stop()]
    figures.note("Prometheus killed: answered 2xx", share(outcomes, lambda o: o.answered))
    assert failures(outcomes) == []
    assert share(outcomes, lambda o: o.answered) >= 0.999


def specs(live: Live) -> dict[str, Any]:
    """What was asked of the cluster."""
    found: dict[str, Any] = {d["metadata"]["name"]: d["spec"] for d in live.deployments()}
    return found | {p["metadata"]["uid"]: p["spec"] for p in live.pods()}


# --- the operator ------------------------------------------------------------------------------


def test_an_operator_restart_changes_nothing(
    glyphs: Live, operator: Kube, rungs: dict[str, Rung], figures: Figures
) -> None:
    """Killed without a warning, under load."""
    with steady(glyphs.url, calm_rps(rungs), seed=5) as load:
        glyphs.settle()
        plan, before = glyphs.plan, versions(glyphs)
        old, killed_s = operator_pod(operator), time.time()
        operator.delete("pods", old, gracePeriodSeconds=0)
        wait_for("another operator", lambda: operator_pod(operator) != old, 90)
        figures.note("operator killed: to the next that is Ready, s", time.time() - killed_s)
        time.sleep(3 * INTERVAL_S + 5)
        after = versions(glyphs)
        assert glyphs.plan["allocations"] == plan["allocations"]
        outcomes = load.since(killed_s)
    changed = sorted(key for key in before.keys() | after if before.get(key) != after.get(key))
    figures.note("operator killed: objects changed", changed or 0, "0")
    figures.note("operator killed: answered 2xx", share(outcomes, lambda o: o.answered))
    assert changed == []
    assert failures(outcomes) == []
    assert share(outcomes, lambda o: o.answered) >= 0.999


# --- a second service, on a device -------------------------------------------------------------

DEVICE = "nvidia.com/gpu"


@pytest.fixture
def device(node: str, kube: Kube) -> Iterator[None]:
    """A stand-in for two GPUs, unless the node has some."""
    path = f"/api/v1/nodes/{node}/status"
    live = kube.request("GET", f"/api/v1/nodes/{node}")
    if int(live["status"]["allocatable"].get(DEVICE, 0)):
        yield
        return
    advertise(kube, path, "2")
    wait_for(
        "the node advertises its devices",
        lambda: kube.request("GET", path)["status"]["allocatable"].get(DEVICE) == "2",
    )
    yield
    advertise(kube, path, None)


def advertise(kube: Kube, path: str, count: str | None) -> None:
    amounts = {"capacity": {DEVICE: count}, "allocatable": {DEVICE: count}}
    kube.request("PATCH", path, body={"status": amounts}, content="application/merge-patch+json")


def test_a_second_service_runs_a_variant_on_a_device(
    glyphs: Live, device: None, rungs: dict[str, Rung], figures: Figures
) -> None:
    """Beside the first one, which goes on; its larger network is measured on a device only."""
    kube = glyphs.kube
    name, large = "small", "glyph-4"
    kube.create("variantprofiles", profile(rungs[large], (300,), {DEVICE: 1}))
    document = service(
        name,
        [
            variant("glyph-1", name),
            variant(large, name, profile_name=f"{large}-gpu"),
        ],
        budget={"cpu": "400m", DEVICE: "1"},
        prices={DEVICE: "1"},
    )
    document["spec"]["scaling"]["maxSurge"] = {"cpu": "300m", DEVICE: "1"}
    kube.create("inferenceservices", document)
    live = Live(kube, name)
    try:
        wait_for("a router", lambda: kube.find("services", name) and live.routed(), 120)
        low_rps = 0.3 * rungs[large].capacity_rps(300)
        with steady(glyphs.url, calm_rps(rungs)) as others, steady(live.url, low_rps) as load:
            live.settle()
            [planned] = [p for p in live.plan["allocations"] if p["variant"] == large]
            assert planned["kind"] == DEVICE
            since_s = time.time()
            time.sleep(10)
            outcomes, beside = load.since(since_s), others.since(since_s)
        [pod] = [p for p in live.pods() if variant_of(p) == large]
        assert pod["spec"]["containers"][0]["resources"]["limits"][DEVICE] == "1"
        assert pod["spec"]["nodeName"]
        figures.note("device: plan", live.plan["summary"])
        figures.note("device: shares answered", shares_by_variant(outcomes))
        assert shares_by_variant(outcomes) == {large: 1.0}
        assert share(outcomes, lambda o: o.answered) >= 0.999
        assert share(beside, lambda o: o.answered) >= 0.999
    finally:
        live.delete()
        kube.delete("variantprofiles", f"{large}-gpu")


# --- the end -----------------------------------------------------------------------------------


def test_deleting_the_service_leaves_nothing_behind(
    glyphs: Live, prometheus: Prometheus, figures: Figures
) -> None:
    deleted_s = time.time()
    glyphs.delete()
    figures.note("deleted: to nothing left, s", time.time() - deleted_s)
    query = f'infadapter_condition{{namespace="{glyphs.kube.namespace}",service="{NAME}"}}'
    wait_for("no metric of it is left", lambda: not prometheus.query(query), 30)
    events = glyphs.kube.list("events")
    reasons = {e["reason"] for e in events if e["involvedObject"]["name"] == NAME}
    figures.note("events that a user saw", sorted(reasons))
    assert "Planned" in reasons or "VariantSwitched" in reasons
