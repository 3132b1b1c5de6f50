"""SUSHI's experiments: what the streams ask for, what is counted, and what each one prints."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from infadapter_scheduler.subgraphs import EMPTY, BackEnd, Strict, choose
from infadapter_simulator.accelerator.accelerators import Roofline
from infadapter_simulator.accelerator.networks import subnets
from infadapter_simulator.accelerator.simulated import simulated
from infadapter_simulator.reproduction.result import Result, as_text, draw
from infadapter_simulator.reproduction.sushi.asked import Asked
from infadapter_simulator.reproduction.sushi.experiments import EXPERIMENTS
from infadapter_simulator.reproduction.sushi.streams import stream
from infadapter_simulator.reproduction.sushi.systems import (
    NO_CACHE,
    PRUNED,
    STATIC,
    SYSTEMS,
    measured,
    served,
)


@pytest.fixture(scope="module")
def of() -> BackEnd:
    return simulated(subnets("mobilenetv3"), Roofline(), 6)


@pytest.mark.parametrize("strict", Strict)
def test_regimes_are_as_long_as_asked_and_visit_all_subnets(of: BackEnd, strict: Strict) -> None:
    for dwell in (1.0, 30.0):
        queries = stream(of.table, strict, dwell, 6000, np.random.default_rng(3))
        rows = [choose(query, of.table, EMPTY) for query in queries]
        assert set(rows) == set(range(7))
        changes = sum(one != other for one, other in pairwise(rows))
        assert changes == pytest.approx(6000 / dwell * 6 / 7, rel=0.2)
        assert all(query.policy is strict for query in queries)


def test_a_measured_table_may_have_a_faster_subnet_that_is_more_accurate(of: BackEnd) -> None:
    first, *rest = of.table.subnets
    slow = replace(first, latency_ms=tuple(2 * ms for ms in rest[0].latency_ms))
    table = replace(of.table, subnets=(slow, *rest))
    queries = stream(table, Strict.LATENCY, 1.0, 500, np.random.default_rng(6))
    fastest_ms = min(subnet.latency_ms[EMPTY] for subnet in table.subnets)
    assert all(query.latency_ms >= fastest_ms for query in queries)


def test_means_count_what_was_fetched_and_refilled(of: BackEnd) -> None:
    queries = stream(of.table, Strict.ACCURACY, 8.0, 300, np.random.default_rng(4))
    answers = [SYSTEMS[STATIC](of.table, 8, queries).serve(query) for query in queries[:1]]
    means = measured(of, answers)
    row, column = answers[0].subnet, answers[0].subgraph
    assert means.traffic_mb == pytest.approx(of.fetched[row, column] / 1e6)
    assert means.hit_ratio == pytest.approx(of.hits[row, column] / of.weights[row])
    by_system = served(of, 8, queries)
    assert by_system[NO_CACHE].hit_ratio == 0
    assert by_system[STATIC].latency_ms < by_system[NO_CACHE].latency_ms
    assert by_system["oracle"].latency_ms <= min(
        one.latency_ms * (1 + 1e-9) for one in by_system.values()
    )


def test_at_strict_latency_a_cache_buys_accuracy_and_ignoring_it_does_not(of: BackEnd) -> None:
    queries = stream(of.table, Strict.LATENCY, 16.0, 600, np.random.default_rng(5))
    by_system = served(of, 16, queries)
    none = by_system[NO_CACHE]
    assert by_system[PRUNED].accuracy > none.accuracy + 0.003
    assert by_system["cache ignored"].accuracy <= none.accuracy
    assert all(by_system[name].met == 1.0 for name in (NO_CACHE, STATIC, "oracle"))


@cache
def found(name: str) -> Result:
    return EXPERIMENTS[name](Asked(12, lambda done, total: None))


@pytest.mark.parametrize("name", ["published", "mobilenetv3", "every"])
def test_an_experiment_prints_that_it_is_simulated_and_draws(tmp_path: Path, name: str) -> None:
    result = found(name)
    assert "simulated" in result.title
    assert result.said[0].startswith("Simulated")
    assert all(len(row) == len(result.head) for row in result.rows)
    assert as_text(result).count("\n") > len(result.rows)
    assert draw(result, tmp_path, "sushi").stat().st_size > 10_000


def test_what_is_published_stands_beside_it() -> None:
    rows = found("published").rows
    assert [row[-1] for row in rows][:5] == ["25", "25", "0.98", "78.7", "78.7"]
    assert rows[0][1:3] == ["1.9 to 8.3", "8.8 to 28.1"]
