"""The recorded trace, scaled to this machine, and what a replay of it is judged by."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from infadapter_workload.outcomes import Outcome, accuracy_in_time
from infadapter_workload.reading import read_trace
from infadapter_workload.shaping import scaled, sliced
from infadapter_workload.trace import Array, Trace
from tests.e2e.host import ROOT
from tests.e2e.kube import Recorder, Seen
from tests.e2e.load import SLO_MS, Load, in_time
from tests.e2e.services import STABILIZATION_S, Rung

Json = dict[str, Any]

TRACE = ROOT.parent / "shared/data/twitter2021/day15_bursty_1260s.csv"
FROM_S, FOR_S = 560, 600  # ten minutes: calm, a rise to five times as much, and back
IN_S = float(os.environ.get("INFADAPTER_E2E_TRACE_SECONDS", "135"))
AFTER_STEP_S = 20


STEP_S = IN_S / FOR_S  # for how long a recorded second's rate holds


def recorded_part(peak_rps: float) -> Trace:
    """Scaled to `peak_rps` in its highest ten (recorded) seconds."""
    part = sliced(read_trace(TRACE, keep_zeros=True), FROM_S, FROM_S + FOR_S)
    peak = float(np.convolve(part.rates, np.ones(10) / 10, "valid").max())
    return scaled(part, peak_rps / peak, seed=0)


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


def plans_of(seen: Sequence[Seen]) -> list[tuple[float, Json]]:
    """When each plan was first seen."""
    plans: list[tuple[float, Json]] = []
    for one in seen:
        plan = (one.object.get("status") or {}).get("plan")
        if plan and (not plans or plans[-1][1]["allocations"] != plan["allocations"]):
            plans.append((one.at_s, plan))
    return plans


def plan_in_force(plans: Sequence[tuple[float, Json]], at_s: float) -> Json:
    return next((plan for since_s, plan in reversed(plans) if since_s <= at_s), plans[0][1])


def effective_accuracy(outcomes: Sequence[Outcome], rungs: Mapping[str, Rung]) -> float:
    """Of what arrived: the accuracy of the network that answered in time, else nothing."""
    accuracy = {name: rung.accuracy for name, rung in rungs.items()}
    return accuracy_in_time(outcomes, accuracy, SLO_MS / 1000) / len(outcomes)


def timeline(load: Load, recorder: Recorder) -> list[str]:
    """By the second: what was due, what became of it, and the plan."""
    by_second: dict[int, list[Outcome]] = {}
    for outcome in load.outcomes:
        by_second.setdefault(int(outcome.scheduled_s), []).append(outcome)
    plans = plans_of(recorder.since(0, "inferenceservices"))
    return [
        f"{second:4d} {len(due):4d} rps, in time {sum(map(in_time, due)):4d}, refused"
        f" {sum(o.refused for o in due):4d}, {dict(Counter(o.variant for o in due))}"
        f" {plan_in_force(plans, load.start_s + second)['summary']}"
        for second, due in sorted(by_second.items())
    ]
