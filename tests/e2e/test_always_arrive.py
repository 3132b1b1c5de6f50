"""
What is planned arrives, or is planned otherwise: a step of the load in all the budget there is,
variants that do not come, and a registry that is away while everything rolls.
"""

import copy
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from infadapter_variants.loadgen import Array, Outcome
from tests.e2e.figures import Figures, keep_log
from tests.e2e.host import PYTHON, ROOT
from tests.e2e.kube import Kube, Recorder, recording, run, wait_for
from tests.e2e.live import Live, planned_capacity_rps
from tests.e2e.load import Load, failures, in_time, share, shares_by_variant
from tests.e2e.services import (
    BUDGET_M,
    INTERVAL_S,
    RUNGS,
    STABILIZATION_S,
    Rung,
    service,
    variant,
)
from tests.e2e.trace import timeline
from tests.e2e.watched import (
    Moment,
    created,
    longest_above_s,
    messages,
    moments,
    since,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

Json = dict[str, Any]


def even(rps: float, seconds: float) -> Array:
    """As many in every second, so that nothing but the step asks for another plan."""
    return np.arange(int(rps * seconds)) / rps


# --- a step ------------------------------------------------------------------------------------

STEPPING = RUNGS[2:]
"""Not the fastest: what the generator and the router need themselves grows with the requests."""

BEFORE, AFTER = 0.25, 0.85  # of what the least accurate of them serves with all of the budget
FIRST_S = 40.0
"""Until then requests may be lost: pods start and grow meanwhile."""


@pytest.mark.parametrize(("surge_m", "held_s"), [(0, 120), (300, 60), (600, 60)])
def test_a_step_ends_in_the_plan_for_it(
    surge_m: int, held_s: int, kube: Kube, rungs: dict[str, Rung], figures: Figures
) -> None:
    live = Live(kube, f"step-{surge_m}")
    kube.create("inferenceservices", stepping(live.name, surge_m))
    most_rps = rungs[STEPPING[0]].capacity_rps()
    try:
        live.wait_until_it_serves()
        calm = Load(live.url, even(BEFORE * most_rps, 3600))
        live.settle()
        with recording(kube, "pods", "inferenceservices") as recorder:
            more = Load(live.url, even((AFTER - BEFORE) * most_rps, held_s))
            more.wait()
            outcomes = [*more.outcomes, *calm.since(more.start_s)]
            found = moments(list(recorder.seen), live.name)
        calm.stop()
        keep_log(live.name, step_log(more, recorder, found))
        judge_step(figures, surge_m, outcomes, found, more.start_s, held_s, AFTER * most_rps)
    finally:
        kube.delete("inferenceservices", live.name)


def stepping(name: str, surge_m: int) -> Json:
    scaling = {
        "intervalSeconds": INTERVAL_S,
        "scaleDownStabilizationSeconds": STABILIZATION_S,
        "maxSurge": {"cpu": f"{surge_m}m"},
    }
    return service(name, [variant(rung, name) for rung in STEPPING], scaling=scaling)


def due_after(load: Load, start_s: float) -> list[tuple[float, Outcome]]:
    """What is known of the requests from a moment on, with how long after it they were due."""
    return [(load.start_s + o.scheduled_s - start_s, o) for o in load.since(start_s)]


def step_log(load: Load, recorder: Recorder, found: Sequence[Moment]) -> str:
    return "\n".join([*timeline(load, recorder), holding_log(found, load.start_s)])


def holding_log(found: Sequence[Moment], start_s: float) -> str:
    held = [f"{one.at_s - start_s:7.2f} s: {one.held_m}m held, {one.told}" for one in found]
    return "\n".join([*messages(found, "Progressing"), *held])


def judge_step(
    figures: Figures,
    surge_m: int,
    outcomes: Sequence[tuple[float, Outcome]],
    found: Sequence[Moment],
    start_s: float,
    held_s: float,
    rps: float,
) -> None:
    after, end_s = since(found, start_s), start_s + held_s
    reached = [one for one in after if is_reached(one, rps)]
    assert reached, [messages(after, "Progressing"), messages(after, "PlanFeasible")]
    plans = {str(one.plan["allocations"]) for one in after[1:]} - {
        str(after[0].plan["allocations"])
    }
    last = [one for one in after if one.at_s < end_s][-1]
    peak_m = max(one.held_m for one in after)
    all_of_it = [o for _, o in outcomes]
    later = [o for due_s, o in outcomes if due_s >= FIRST_S]
    note = lambda what, value, wanted="": figures.note(  # noqa: E731
        f"step, maxSurge {surge_m}m: {what}", value, wanted
    )
    note("to the plan reached, s", max(0.0, reached[0].at_s - start_s))
    note("cores held at most", peak_m / 1000, f"<= {(BUDGET_M + surge_m) / 1000:g}")
    note("longest above the budget, s", longest_above_s(after, BUDGET_M, end_s))
    note("plans for the level", len(plans), "1 or 2")
    note("violated", 1 - share(all_of_it, in_time))
    note("violated after 40 s", 1 - share(later, in_time), "<= 0.01")
    note("plan", last.plan["summary"])
    assert peak_m <= BUDGET_M + surge_m
    assert last.held_m <= BUDGET_M
    assert is_reached(last, rps), messages(after, "Progressing")
    assert last.condition("PlanFeasible")["status"] == "True", messages(after, "PlanFeasible")
    assert 1 <= len(plans) <= 2
    assert share(later, in_time) >= 0.99


def is_reached(one: Moment, rps: float) -> bool:
    return planned_capacity_rps(one.plan) >= rps and one.is_as_planned


# --- what does not come ------------------------------------------------------------------------

GONE = "localhost:9/none:1"  # nothing listens there: each pull fails at once
PATIENCE = {
    "startSeconds": 5,
    "readySeconds": 20,
    "retryFirstSeconds": 5,
    "retryMostSeconds": 20,
}
GOOD, BAD = "glyph-1", "glyph-3"
FEW_RPS = 10.0
TRIED_S = 25.0  # with the retries after 5 s and 10 s


@pytest.fixture(scope="module")
def impatient(operator: Kube, run_name: str) -> Iterator[None]:
    """The operator waits seconds, not minutes, for what does not come."""
    release = (run_name, "--namespace", operator.namespace)
    given = [word for name, s in PATIENCE.items() for word in ("--set", f"patience.{name}={s}")]
    chart = str(ROOT / "helm/infadapter")
    ends = ("--wait", "--timeout", "120s")
    run("helm", "upgrade", *release, chart, "--reuse-values", *given, *ends)
    yield
    pods = ("-n", operator.namespace, "--selector=app.kubernetes.io/component=operator")
    keep_log("operator-impatient", run("kubectl", "logs", *pods, "--tail=-1"))
    run("helm", "rollback", *release, "1", *ends)


def without_image(template: Json) -> Json:
    container = template["spec"]["containers"][0]
    container |= {"image": GONE, "imagePullPolicy": "Always"}
    return template


def crashing(template: Json) -> Json:
    container = template["spec"]["containers"][0]
    container |= {"command": [PYTHON, "-c", "raise SystemExit(3)"], "args": []}
    return template


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("name", "damage", "cause", "words"),
    [
        ("no-image", without_image, "ImageUnavailable", GONE),
        ("crash", crashing, "CrashLoop", "exit code 3"),
    ],
)
def test_a_variant_that_does_not_come_is_done_without(
    name: str,
    damage: Any,
    cause: str,
    words: str,
    kube: Kube,
    rungs: dict[str, Rung],
    figures: Figures,
) -> None:
    """Its network is the more accurate one, so that it is planned whenever it may be."""
    live = Live(kube, name)
    good, bad = variant(GOOD, name), variant(BAD, name)
    damage(bad["template"])
    made_s = time.time()
    with recording(kube, "pods", "inferenceservices") as recorder:
        kube.create("inferenceservices", service(name, [good, bad], budget={"cpu": "500m"}))
        try:
            live.wait_until_it_serves()
            served_s = time.time()
            load = Load(live.url, even(FEW_RPS, TRIED_S))
            outcomes = load.wait()
            events = events_of(kube, name, "VariantUnavailable")
            found = moments(list(recorder.seen), name)
        finally:
            kube.delete("inferenceservices", name)
    after = since(found, served_s)
    figures.note(f"{name}: to the first pod with traffic, s", served_s - made_s)
    figures.note(f"{name}: answered 2xx", share(outcomes, lambda o: o.answered), "1")
    figures.note(f"{name}: answered by", shares_by_variant(outcomes))
    figures.note(f"{name}: pods made", created(found, 0))
    figures.note(f"{name}: says", message_of(after[-1], BAD))
    assert share(outcomes, lambda o: o.answered) == 1.0
    assert shares_by_variant(outcomes) == {GOOD: 1.0}
    assert {available(one, BAD)[:2] for one in after} == {("False", cause)}
    assert words in message_of(after[-1], BAD)
    assert {available(one, GOOD)[0] for one in after} == {"True"}
    assert {one.condition("VariantsAvailable")["status"] for one in after} == {"False"}
    assert len(events) == 1, events
    is_ready = [one.condition("Ready").get("status") for one in after]
    assert set(is_ready[is_ready.index("True") :]) == {"True"}, messages(after, "Ready")
    assert any(planned(one) == {GOOD} for one in after)


def planned(one: Moment) -> set[str]:
    return {p["variant"] for p in one.plan.get("allocations", ())}


def available(one: Moment, name: str) -> tuple[str, str, str]:
    """Status, reason and message of what is said of one variant."""
    told = next((v for v in one.status.get("variants") or () if v["variant"] == name), {})
    said = next((c for c in told.get("conditions") or () if c["type"] == "Available"), {})
    return said.get("status", ""), said.get("reason", ""), said.get("message", "")


def message_of(one: Moment, name: str) -> str:
    return available(one, name)[2]


def events_of(kube: Kube, name: str, reason: str) -> list[str]:
    return [
        e["message"]
        for e in kube.list("events")
        if e["involvedObject"]["name"] == name and e["reason"] == reason
        for _ in range(e.get("count") or 1)
    ]


# --- a registry that is away while all rolls -----------------------------------------------------

ROLLED_S = 60.0
MOST_MADE = 2
"""Pods of each variant in a minute: the one of the roll, and a retry."""


@pytest.mark.usefixtures("impatient")
def test_a_roll_of_all_whose_image_is_away_costs_no_ready_pod(
    kube: Kube, rungs: dict[str, Rung], figures: Figures
) -> None:
    name = "roll"
    live, budget_m = Live(kube, name), 600
    variants = [variant(GOOD, name), variant(BAD, name)]
    kube.create("inferenceservices", service(name, variants, budget={"cpu": f"{budget_m}m"}))
    try:
        live.wait_until_it_serves()
        rps = 1.3 * rungs[BAD].capacity_rps(budget_m)
        load = Load(live.url, even(rps, 3600))
        live.settle()
        assert {p["variant"] for p in live.plan["allocations"]} == {GOOD, BAD}, live.why()
        with recording(kube, "pods", "inferenceservices") as recorder:
            wait_for("the watch begins", lambda: recorder.since(0, "pods"))
            rolled_s = time.time()
            old = {pod["metadata"]["name"] for pod in live.pods()}
            put_variants(live, [damaged(one) for one in variants])
            time.sleep(ROLLED_S)
            away = since(moments(list(recorder.seen), name), rolled_s)
            outcomes = load.since(rolled_s)
            back_s = time.time()
            put_variants(live, variants)
            live.wait_for_condition("VariantsAvailable", "True", 60)
            live.settle(2)
            settled_s = time.time()
            outcomes += load.since(back_s)
        load.stop()
    finally:
        kube.delete("inferenceservices", name)
    figures.note("roll: answered 2xx", share(outcomes, lambda o: o.answered), "1")
    figures.note("roll: within the SLO", share(outcomes, in_time))
    figures.note("roll: pods made in a minute", created(away, rolled_s), f"<= {MOST_MADE} each")
    figures.note("roll: cores held at most", max(one.held_m for one in away) / 1000)
    figures.note("roll: says", away[-1].condition("VariantsAvailable").get("message", ""))
    figures.note("roll: image back: to all Ready and as planned, s", settled_s - back_s)
    keep_log(name, holding_log(away, rolled_s))
    assert all(old <= one.ready for one in away), [one.ready for one in away]
    assert failures(outcomes) == []
    assert share(outcomes, lambda o: o.answered) >= 0.999
    assert max(created(away, rolled_s).values(), default=0) <= MOST_MADE
    assert {available(away[-1], each)[1] for each in (GOOD, BAD)} == {"ImageUnavailable"}
    assert GONE in away[-1].condition("VariantsAvailable")["message"]


def damaged(given: Json) -> Json:
    given = copy.deepcopy(given)
    without_image(given["template"])
    return given


def put_variants(live: Live, variants: list[Json]) -> None:
    live.kube.patch("inferenceservices", live.name, {"spec": {"variants": variants}})
