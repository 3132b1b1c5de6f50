"""Nobody is left out: not by those who need less room, nor by loads, nor by long batches."""

import random

import pytest

from infadapter_scheduler import (
    POLICIES,
    Arrival,
    Arrived,
    ExecutorJoined,
    Finished,
    Load,
    Loaded,
    Model,
    Run,
    Scheduler,
    World,
    replay,
)

SIZES_S = {1: 0.0033, 2: 0.0053, 4: 0.0075, 8: 0.0124, 16: 0.0217}
NOW_S = 10.0
"""Arrivals at the very first moment are taken for a flood."""


def share(arrivals: list[Arrival], busy: bool) -> float:
    models = {a.model: Model(a.model, SIZES_S) for a in arrivals}
    fates = replay(
        POLICIES["infadapter"](list(models.values()), None, 0.0), arrivals, World(models)
    )
    mine = [f for a, f in zip(arrivals, fates, strict=True) if (a.model == "busy") == busy]
    return sum(fate.outcome == "on_time" for fate in mine) / len(mine)


def test_a_model_that_needs_room_for_large_batches_is_served_beside_many_that_do_not() -> None:
    draw, now_s, arrivals = random.Random(1), 0.0, []
    while now_s < 4.0:
        now_s += draw.expovariate(1200.0)
        name = "busy" if draw.random() < 1 / 6 else f"m{draw.randrange(300)}"
        arrivals.append(Arrival(now_s, name, 0.1))
    assert share(arrivals, True) > 0.7 * share(arrivals, False)


@pytest.mark.parametrize("batch", [{1: 0.010}, {1: 0.010, 2: 0.011, 4: 0.012, 8: 0.013}])
def test_while_a_batch_waits_for_its_weights_others_run(batch: dict[int, float]) -> None:
    """`b` is loaded until 20 ms and due at 31: `a`, due at 35, can only be served before it."""
    scheduler = Scheduler([Model("a", batch), Model("b", {1: 0.010}, load_s=0.020)])
    scheduler.handle(ExecutorJoined("e", None, ("a",)), 0.0)
    (load,) = scheduler.handle(Arrived(0, "b", 0.031), 0.0)
    assert isinstance(load, Load)
    (run,) = scheduler.handle(Arrived(1, "a", 0.035), 0.0)
    assert isinstance(run, Run)
    assert run.batch == (1,)
    scheduler.handle(Finished("e", run.run, 0.0, 0.010), 0.010)
    (late,) = scheduler.handle(Loaded("e", "b", 0.0, 0.020), 0.020)
    assert isinstance(late, Run)
    assert late.batch == (0,)


def sent_of_sixteen(live_slo_s: float | None) -> int:
    """The batch that a tenant with a day's time gets after a live request, if there was one."""
    scheduler = Scheduler([Model("batch", SIZES_S), Model("live", SIZES_S)])
    scheduler.handle(ExecutorJoined("e", None, ("batch", "live")), 0.0)
    name, slo_s = ("batch", 86_400.0) if live_slo_s is None else ("live", live_slo_s)
    scheduler.handle(Arrived(0, name, NOW_S + slo_s), NOW_S)
    for number in range(1, 17):
        scheduler.handle(Arrived(number, "batch", 86_400.0), NOW_S + 0.001)
    end_s = NOW_S + SIZES_S[1]
    (run,) = scheduler.handle(Finished("e", 1, NOW_S, end_s), end_s)
    assert isinstance(run, Run)
    return len(run.batch)


@pytest.mark.parametrize(
    ("live_slo_s", "size"), [(None, 16), (1.0, 16), (0.017, 8), (0.010, 2), (0.004, 1)]
)
def test_who_can_wait_runs_no_longer_than_the_live_can_be_kept_waiting(
    live_slo_s: float | None, size: int
) -> None:
    assert sent_of_sixteen(live_slo_s) == size
