"""The measures of docs/design.md, on runs that can be computed by hand."""

from dataclasses import replace

import pytest

from infadapter_local.holding import Held
from infadapter_local.measures import measure_run
from infadapter_operator.domain.service import Service
from infadapter_solver import Allocation, Objective, PodSize, Variant
from infadapter_workload.outcomes import Outcome

SMALL = Allocation(size=PodSize(resources={"cpu": 500}), capacity_rps=10.0)
SERVICE = Service(
    namespace="demo",
    name="glyphs",
    slo_s=0.2,
    percentile=99.0,
    variants=(
        Variant(name="a", accuracy=0.8, load_time_s=1.0, allocations=(SMALL,)),
        Variant(name="b", accuracy=0.6, load_time_s=1.0, allocations=(SMALL,)),
    ),
    max_surge={"cpu": 0},
    objective=Objective(budget={"cpu": 2000}, cost_weight=0.1, loading_weight=0.001),
)


def outcome(
    at_s: float, latency_s: float = 0.1, code: int = 200, variant: str | None = "a"
) -> Outcome:
    return Outcome(
        scheduled_s=at_s, sent_s=at_s, done_s=at_s + latency_s, code=code, variant=variant
    )


def test_every_request_counts_once() -> None:
    outcomes = [
        outcome(1.0),
        outcome(2.0, variant="b"),
        outcome(3.0, latency_s=0.3),  # late
        outcome(4.0, code=503, variant=None),  # refused
        outcome(5.0, code=0, variant=None),  # unanswered
        outcome(11.0),  # after the end
        outcome(-1.0),  # in the lead-in
    ]
    measured = measure_run(
        outcomes,
        [Held(at_s=0.0, amounts={"cpu": 1000}), Held(at_s=8.0, amounts={"cpu": 2500})],
        service=SERVICE,
        begin_s=0.0,
        end_s=10.0,
        cpu_seconds_used=3.0,
    )
    assert measured.arrived == 5
    assert measured.effective_accuracy == pytest.approx((0.8 + 0.6) / 5)
    assert (measured.late, measured.refused, measured.failed) == pytest.approx((0.2, 0.2, 0.2))
    assert measured.violations == pytest.approx(0.6)
    assert measured.cpu_seconds_held == pytest.approx(8 * 1.0 + 2 * 2.5)
    assert measured.peak_cores_held == 2.5
    assert measured.core_seconds_over_budget == pytest.approx(2 * 0.5)
    assert measured.longest_over_budget_s == pytest.approx(2.0)
    assert measured.mean_cores == pytest.approx(1.3)
    assert measured.objective == pytest.approx(0.28 - 0.1 * 1.3 / 2.0)


def test_devices_that_are_held_are_paid_for() -> None:
    gpu = "nvidia.com/gpu"
    objective = Objective(budget={"cpu": 2000, gpu: 1}, prices={gpu: 6.0}, cost_weight=0.1)
    measured = measure_run(
        [outcome(1.0)],
        [Held(at_s=0.0, amounts={"cpu": 1000}), Held(at_s=5.0, amounts={"cpu": 1000, gpu: 1})],
        service=replace(SERVICE, objective=objective),
        begin_s=0.0,
        end_s=10.0,
        cpu_seconds_used=0.0,
    )
    assert measured.mean_cores == pytest.approx(1.0)
    assert measured.mean_cost == pytest.approx(1.0 + 6.0 / 2)
    assert measured.objective == pytest.approx(0.8 - 0.1 * 4.0 / 8.0)


def test_plans_before_the_beginning_do_not_count_but_starts_do() -> None:
    measured = measure_run(
        [],
        [],
        service=SERVICE,
        begin_s=6.0,
        end_s=16.0,
        cpu_seconds_used=0.0,
        plan_changes_s=[1.0, 6.0, 9.0, 16.0],
        starts_s=[0.7, 0.4],
    )
    assert (measured.plan_changes, measured.longest_start_s) == (2, 0.7)


def test_a_run_without_requests_has_no_latency_and_no_accuracy() -> None:
    measured = measure_run([], [], service=SERVICE, begin_s=0.0, end_s=1.0, cpu_seconds_used=0.0)
    assert (measured.p99_ms, measured.accuracy_of_answers) == (None, None)
    assert measured.longest_start_s is None
    assert measured.effective_accuracy == 0.0
