"""
What is planned arrives: a step of the load in all the budget there is, with surge and without.

Cores are counted as a watch of the pods tells them, requests as the generator saw them.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from infadapter_workload.outcomes import Outcome
from tests.e2e.figures import Figures, keep_log
from tests.e2e.kube import Kube, Recorder, recording
from tests.e2e.live import AGAIN_S, EVEN_S, Live, planned_capacity_rps
from tests.e2e.load import Load, even, going_on, in_time, share
from tests.e2e.services import (
    ACCURATE,
    BUDGET_M,
    INTERVAL_S,
    RUNGS,
    STABILIZATION_S,
    Rung,
    service,
    variant,
)
from tests.e2e.trace import timeline
from tests.e2e.turns import Room
from tests.e2e.watched import Moment, log_of, longest_above_s, messages, moments, since

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]


STEPPING = RUNGS[2:]
"""Not the fastest: what the generator and the router need themselves grows with the requests."""

BEFORE, AFTER = 0.25, 0.85  # of what the least accurate of them serves with all of the budget
KNOWN = 0.9
"""A plan for so much of the level is one for it."""

FIRST_S = 40.0
"""Until then requests may be lost: pods start and grow meanwhile."""


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize(("surge_m", "held_s"), [(0, 60), (300, 55), (600, 55)])
def test_a_step_ends_in_the_plan_for_it(
    surge_m: int,
    held_s: int,
    kube: Kube,
    rungs: dict[str, Rung],
    small_room: Room,
    figures: Figures,
) -> None:
    live = Live(kube, f"step-{surge_m}")
    kube.create("inferenceservices", stepping(live.name, surge_m))
    most_rps = rungs[STEPPING[0]].capacity_rps()
    with contextlib.ExitStack() as ended:
        ended.callback(kube.delete, "inferenceservices", live.name)
        with small_room():
            live.wait_until_it_serves()
            calm = ended.enter_context(going_on(live.url, even(BEFORE * most_rps, 3600)))
            live.settle(EVEN_S)
        live.settle(AGAIN_S)
        with recording(kube, "pods", "inferenceservices") as recorder:
            more = Load(live.url, even((AFTER - BEFORE) * most_rps, held_s))
            more.wait()
            outcomes = [*due_after(calm, more.start_s), *due_after(more, more.start_s)]
            found = moments(list(recorder.seen), live.name)
        calm.stop()
        keep_log(live.name, step_log(more, recorder, found))
        judge_step(figures, surge_m, outcomes, found, more.start_s, held_s, AFTER * most_rps)


def stepping(name: str, surge_m: int) -> Json:
    scaling = {
        "intervalSeconds": INTERVAL_S,
        "scaleDownStabilizationSeconds": STABILIZATION_S,
        "maxSurge": {"cpu": f"{surge_m}m"},
    }
    variants = [variant(rung, name) for rung in STEPPING]
    for one in variants:  # as the examples have it: this server needs no hook to drain
        one["template"]["spec"]["containers"][0]["lifecycle"] = {}
    return service(name, variants, objective=ACCURATE, scaling=scaling)


def due_after(load: Load, start_s: float) -> list[tuple[float, Outcome]]:
    """What is known of the requests from a moment on, with how long after it they were due."""
    return [(load.start_s + o.scheduled_s - start_s, o) for o in load.since(start_s)]


def step_log(load: Load, recorder: Recorder, found: Sequence[Moment]) -> str:
    return "\n".join([*timeline(load, recorder), log_of(found, load.start_s)])


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
    plans = plans_for(after, rps)
    last = [one for one in after if one.at_s < end_s][-1]
    peak_m = max(one.held_m for one in after)
    all_of_it = [o for _, o in outcomes]
    later = [o for due_s, o in outcomes if due_s >= FIRST_S]

    def note(what: str, value: object, wanted: str = "") -> None:
        figures.note(f"step, maxSurge {surge_m}m: {what}", value, wanted)

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


def plans_for(after: Sequence[Moment], rps: float) -> set[str]:
    """Of those made for the level: one made within its first second knows a part of it."""
    known = (one.plan for one in after if float(one.plan["demandRps"]) >= KNOWN * rps)
    return {str(plan["allocations"]) for plan in known}


def is_reached(one: Moment, rps: float) -> bool:
    return planned_capacity_rps(one.plan) >= rps and one.is_as_planned
