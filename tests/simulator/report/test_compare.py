"""Policies on the same arrivals."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest

from infadapter_simulator.compare import jobs
from infadapter_simulator.compare.compare import Case, Found, best, compare, run
from infadapter_simulator.compare.results import Comparison
from infadapter_simulator.measures import Measures
from infadapter_simulator.part import Part
from infadapter_simulator.report.facts import beaten, facts
from infadapter_simulator.scenario import Scenario
from infadapter_workload.trace import Trace

POLICIES = ["infadapter", "kpa-resnet50", "fixed-resnet50-8"]


def silent(done: int, total: int) -> None:
    pass


def measures(objective: float, violations: float) -> Measures:
    return Measures(
        effective_accuracy=0.7,
        violations=violations,
        late=violations,
        refused=0.0,
        failed=0.0,
        mean_cores=4.0,
        mean_cost=4.0,
        accuracy_loss_points=1.0,
        objective=objective,
        p99_s=0.5,
        peak_cores_held=6.0,
        core_seconds_over_budget=0.0,
        longest_over_budget_s=0.0,
    )


def found(candidate: str, objective: float, violations: float) -> Found:
    return Found(candidate=candidate, measures=measures(objective, violations), series=None)


def test_processes_find_what_one_process_finds(
    scenario: Scenario, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [Case(name=name, policy=name, scenario=scenario) for name in POLICIES]
    alone = run(cases, part, [1, 2], silent)
    monkeypatch.setattr(jobs, "WORTH_PROCESSES_S", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    told: list[tuple[int, int]] = []
    assert run(cases, part, [1, 2], lambda done, total: told.append((done, total))) == alone
    assert told[-1] == (30, 30)


def test_an_error_in_a_process_is_raised_and_leaves_no_process(
    scenario: Scenario, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "WORTH_PROCESSES_S", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    cases = [
        Case(name=name, policy=name, scenario=replace(scenario, speeds={})) for name in POLICIES
    ]
    with pytest.raises((KeyError, ValueError)):
        run(cases, part, [1], silent)
    assert not multiprocessing.active_children()


def test_whoever_is_told_may_end_it_all(
    scenario: Scenario, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "WORTH_PROCESSES_S", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    def enough(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([Case(name="ours", policy="infadapter", scenario=scenario)] * 9, part, [1], enough)
    assert not multiprocessing.active_children()


def test_the_best_in_hindsight_has_the_highest_objective() -> None:
    tried = [found("dear", 0.7, 0.003), found("cheap", 0.8, 0.004), found("dearer", 0.6, 0.0)]
    assert best(tried).candidate == "cheap"


def test_all_meet_the_same_requests_and_see_what_was_before(scenario: Scenario, part: Part) -> None:
    load = part.workload(1)
    assert load.seconds == 60
    assert len(load.history_rps) == 30
    assert np.array_equal(load.history_rps, part.workload(1).history_rps)
    assert load.history_rps.mean() == pytest.approx(part.trace.rates[:30].mean(), rel=0.1)


def test_without_a_past_it_is_as_the_first_minute() -> None:
    trace = Trace(name="steps", rates=np.array([5.0] * 60 + [50.0] * 60), counted=True)
    load = Part(trace=trace, from_s=0, to_s=120).workload(1)
    assert np.array_equal(load.history_rps, np.full(600, 5.0))


def test_regret_is_measured_from_the_bracket_even_if_unasked(
    scenario: Scenario, part: Part
) -> None:
    short = Part(trace=part.trace, from_s=0, to_s=30)
    comparison = compare(scenario, ["fixed-resnet18-4"], short, [0], silent)
    (result,) = comparison.results
    assert comparison.hindsight
    own, lower = result.measures[0], comparison.hindsight.measures[0].objective
    upper = comparison.bounds[0].upper or 0.0
    assert own.regret == pytest.approx(1 - own.objective / lower)
    assert own.regret_at_most == pytest.approx(1 - own.objective / upper)
    assert 0.7 < lower < upper
    bracket = facts(comparison)["bracket"]
    assert (bracket["lower"], bracket["upper"]) == (pytest.approx(lower), pytest.approx(upper))


def test_whoever_beats_the_schedule_shows_that_its_search_was_not_good_enough(
    comparison: Comparison,
) -> None:
    result = replace(comparison.results[0], measures=(replace(measures(0.8, 0.0), regret=-0.01),))
    (note,) = beaten(replace(comparison, results=(result,)))
    assert note.startswith("fixed-resnet152-2 beats the best schedule in hindsight")
    assert beaten(comparison) == []


def test_json_has_no_nan(comparison: Comparison) -> None:
    result = replace(
        comparison.results[0], measures=(replace(measures(0.8, 1.0), p99_s=float("nan")),)
    )
    own = facts(replace(comparison, results=(result,)))["policies"]["fixed-resnet152-2"]
    assert own["p99_ms"] is None
    assert own["regret"] is None
