"""Virtual time: sources of arrivals, deviations, and loads that share the executor."""

from random import Random
from statistics import median

import pytest

from infadapter_scheduler import (
    POLICIES,
    Arrival,
    Both,
    Client,
    ClosedLoop,
    Model,
    Served,
    Stream,
    World,
    emulate,
    exact,
    of_both_sides,
    replay,
    resampled,
)

TEN_MS = {"m": Model("m", {1: 0.010})}


def served(source: Stream | ClosedLoop | Both, loop: ClosedLoop | None = None) -> list[Served]:
    fates: list[Served] = []

    def settled(arrival: Arrival, fate: Served, known_s: float) -> None:
        fates.append(fate)
        if loop is not None:
            loop.settled(arrival, fate, known_s)

    emulate(
        POLICIES["infadapter"](list(TEN_MS.values()), None, 0.0), source, World(TEN_MS), settled
    )
    return fates


def test_a_stream_is_served_as_a_list_is() -> None:
    arrivals = [Arrival(0.004 * number, "m", 0.05) for number in range(200)]
    scheduler = POLICIES["infadapter"](list(TEN_MS.values()), None, 0.0)
    listed = replay(scheduler, arrivals, World(TEN_MS))
    streamed = served(Stream(iter(arrivals)))
    assert sorted(fate.decided_s for fate in streamed) == [fate.decided_s for fate in listed]
    assert sum(f.outcome == "on_time" for f in streamed) == sum(
        f.outcome == "on_time" for f in listed
    )


def test_a_closed_loop_client_asks_again_when_it_has_its_answer() -> None:
    loop = ClosedLoop([Client("m", 1.0)], until_s=1.0, pause_s=0.010)
    fates = served(loop, loop)
    assert len(fates) == 50
    assert {fate.outcome for fate in fates} == {"on_time"}


def test_a_refused_client_comes_back_when_it_was_told_to() -> None:
    """Three clients where two can be served in time; nobody spins."""
    loop = ClosedLoop([Client("m", 0.0205)] * 3, until_s=1.0, pause_s=0.001)
    fates = served(loop, loop)
    refused = [fate for fate in fates if fate.outcome == "refused"]
    assert 0 < len(refused) < 250, "a pause of 1 ms alone would make a thousand"
    assert sum(fate.outcome == "on_time" for fate in fates) >= 98


def test_two_sources_are_one_in_the_order_of_time() -> None:
    both = Both(
        Stream(iter([Arrival(0.0, "m", 1.0), Arrival(0.2, "m", 1.0)])),
        Stream(iter([Arrival(0.1, "m", 1.0)])),
    )
    assert [both.take().arrival_s for _ in range(3)] == [0.0, 0.1, 0.2]


def test_errors_of_both_sides_have_the_quantiles_that_are_published() -> None:
    draw, deviation = Random(1), of_both_sides(55e-6, 144e-6)
    errors = [deviation(0.003, draw) - 0.003 for _ in range(40_000)]
    longer = sorted(error for error in errors if error > 0)
    shorter = sorted(-error for error in errors if error < 0)
    assert longer[int(0.99 * len(longer))] == pytest.approx(55e-6, rel=0.1)
    assert shorter[int(0.99 * len(shorter))] == pytest.approx(144e-6, rel=0.1)


def test_measured_errors_are_drawn_again() -> None:
    deviation = resampled([-0.1, 0.0, 0.5])
    took = {round(deviation(2.0, Random(seed)), 9) for seed in range(50)}
    assert took == {1.8, 2.0, 3.0}
    assert median([exact(2.0, Random(1))]) == 2.0


@pytest.mark.parametrize("lag_s", [0.0, 0.001])
def test_where_loads_stand_among_executions_exact_executors_keep_every_promise(
    lag_s: float,
) -> None:
    models = {f"m{i}": Model(f"m{i}", {1: 0.003, 4: 0.007}, 0.008, 7) for i in range(20)}
    draw, now_s, arrivals = Random(1), 0.0, []
    for _ in range(4000):
        now_s += draw.expovariate(250.0)
        arrivals.append(Arrival(now_s, f"m{int(20 * draw.random() ** 3)}", 0.15))
    world = World(models, 2, 70, lag_s, shared_load=True)
    scheduler = POLICIES["infadapter"](list(models.values()), None, lag_s)
    outcomes = [fate.outcome for fate in replay(scheduler, arrivals, world)]
    assert set(outcomes) <= {"on_time", "refused"}
    assert outcomes.count("on_time") > 0.8 * len(outcomes)
