"""What Clockwork's evaluation is run with: the table, the trace, and how it is counted."""

import numpy as np
import pytest

from infadapter_scheduler import Arrival, Model, Served
from infadapter_simulator.reproduction.clockwork.azure import capacity_rps
from infadapter_simulator.reproduction.clockwork.azure_trace import Trace, rates_rps
from infadapter_simulator.reproduction.clockwork.needed import executors_needed
from infadapter_simulator.reproduction.clockwork.ramp import slo_s
from infadapter_simulator.reproduction.clockwork.table import networks, resnet50s
from infadapter_simulator.reproduction.clockwork.tally import Tally
from infadapter_simulator.reproduction.clockwork.thousands import active


def test_the_shipped_rows_are_as_published() -> None:
    by_name = {model.name: model for model in networks()}
    assert by_name["resnet50_v2"].execution_s[16] == pytest.approx(0.0173)
    assert by_name["resnet50_v2"].pages == 7
    assert resnet50s(2)[1].load_s == pytest.approx(0.008372)
    assert len(by_name) == 13


def test_rates_fall_by_orders_of_magnitude_and_add_up() -> None:
    rates = rates_rps(18_117, 9638.0)
    assert rates.sum() == pytest.approx(9638.0)
    assert np.all(np.diff(rates) <= 0)
    assert rates[: len(rates) // 5].sum() > 0.99 * 9638.0
    assert np.mean(rates < 1 / 3600) > 0.4


def test_in_blocks_the_hottest_share_an_instance_and_striped_they_are_dealt() -> None:
    rates = np.array([8.0, 4.0, 2.0, 1.0])
    assert Trace(rates, ["a", "b"], striped=False).instance_of() == ["a", "a", "b", "b"]
    assert Trace(rates, ["a", "b"], striped=True).instance_of() == ["a", "b", "a", "b"]


def test_the_trace_comes_in_order_at_its_rate() -> None:
    trace = Trace(rates_rps(1000, 500.0), ["a", "b"], striped=True)
    arrivals = list(trace.arrivals(2.0, 0.1, np.random.default_rng(1)))
    times = [arrival.arrival_s for arrival in arrivals]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 120
    assert len(arrivals) == pytest.approx(60_000, rel=0.25)


def test_executors_needed_are_those_of_batches_that_fill_in_time() -> None:
    models = {"a": Model("a", {1: 0.010, 2: 0.012}), "b": Model("b", {1: 0.010, 2: 0.012})}
    assert executors_needed(models, [("a", 100.0)]) == pytest.approx(0.6)
    assert executors_needed(models, [("a", 0.1), ("b", 0.1)]) == pytest.approx(0.002, rel=0.01)
    assert capacity_rps(list(models.values())) == pytest.approx(6 / 0.006)


def test_the_ramp_multiplies_by_one_and_a_half_up_to_a_hundred() -> None:
    steps = [slo_s(30.0 * step, 30.0) / 0.0029 for step in (0, 1, 2, 12, 99)]
    assert steps == pytest.approx([1.0, 1.5, 2.25, 100.0, 100.0])


def test_models_become_more_until_all_are_asked_for() -> None:
    assert [active(at_s, 100.0) for at_s in (0.0, 20.0, 60.0, 100.0)] == [1, 1, 1800, 3600]


def test_tallies_count_by_tenant_and_by_when_a_request_came() -> None:
    tally = Tally(1.0, lambda arrival: arrival.model)
    on_time = Served("on_time", executor="e", batch=2, cold=True)
    for at_s, fate in ((0.5, on_time), (1.5, on_time), (1.6, Served("refused"))):
        tally.settled(Arrival(at_s, "a", 0.1), fate, at_s + 0.02)
    tally.settled(Arrival(1.7, "b", 0.1), Served("late", executor="e", batch=1), 2.0)
    first, second = tally.of("a", range(1)), tally.of("a", range(1, 2))
    assert (first.share, second.share) == (1.0, 0.5)
    assert tally.of("a").mean_batch == 2.0
    assert tally.of("a").cold == 2
    assert tally.of("b").share == 0.0
    assert tally.of("b").latency_s(0.99) == pytest.approx(0.3)
