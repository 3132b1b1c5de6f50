"""What a server's metrics say of its executions, and what the simulated one makes of them."""

import numpy as np
import pytest

from benchmarks.simulated_server import executed, simulated
from infadapter_scheduler import Front
from infadapter_server.serving.metrics import ServerMetrics

TABLE = {1: 0.010, 2: 0.012, 4: 0.016, 8: 0.024}
SLO_S = 0.1


def test_metrics_give_the_mean_batch_and_how_much_longer_executions_took() -> None:
    metrics = ServerMetrics("tiny")
    for images in (1, 4, 8, 8):
        metrics.executed(images, 1.5 * TABLE[images], TABLE[images], 1.5 * TABLE[images])
    batch, longer = executed(metrics.exposition().decode(), TABLE)
    assert batch == 21 / 4
    assert longer == pytest.approx(1.5)


def test_a_server_that_has_run_nothing_has_no_batch() -> None:
    assert executed(ServerMetrics("tiny").exposition().decode(), TABLE) == (0.0, 1.0)


def test_below_its_capacity_all_are_in_time_and_above_it_the_rest_is_refused() -> None:
    few = simulated(TABLE, [0.0], np.arange(0, 2, 0.02), SLO_S)
    assert (few.in_time, few.refused, few.mean_batch) == (100, 0, 1.0)
    assert max(few.latencies_s) == pytest.approx(TABLE[1], abs=0.001)
    many = simulated(TABLE, [0.0], np.arange(0, 2, 0.0015), SLO_S)
    assert many.in_time == pytest.approx(2 * 8 / TABLE[8], rel=0.05)
    assert many.in_time + many.refused == 1334
    assert many.mean_batch > 7


def test_http_on_its_core_is_refused_for_and_hardly_anybody_is_late() -> None:
    """What it takes is learnt as longer executions, so only the first ones can be late."""
    front = Front(answer_s=0.0005, refusal_s=0.0003)
    arrivals_s = np.arange(0, 10, 0.0015)
    seen = simulated(TABLE, [0.0], arrivals_s, SLO_S, front)
    # n answers a second: n · (24/8 ms + 0.5 ms) + (667 - n) · 0.3 ms = 1 s
    answered_rps = (1 - 667 * 0.0003) / (TABLE[8] / 8 + 0.0005 - 0.0003)
    assert seen.in_time == pytest.approx(10 * answered_rps, rel=0.05)
    assert seen.in_time + seen.refused >= 0.999 * len(arrivals_s)
