"""Policies in virtual time: capacity is kept in overload, and by whom."""

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from infadapter_scheduler import POLICIES, Arrival, Model, Served, World, lognormal, replay

TIMES_MS = {1: 2.73, 2: 4.05, 4: 5.87, 8: 9.93, 16: 17.3}
CAPACITY_RPS = {21.84: 8 / 0.00993, 50.0: 16 / 0.0173, 273.0: 16 / 0.0173}


def models_of(number: int) -> dict[str, Model]:
    execution_s = {b: t / 1000 for b, t in TIMES_MS.items()}
    return {f"m{i}": Model(f"m{i}", execution_s, load_s=0.008, pages=7) for i in range(number)}


def played(
    load: float, slo_ms: float, models: int = 1, policy: str = "infadapter", **world: Any
) -> tuple[list[Arrival], list[Served]]:
    """6,000 arrivals at so many times the capacity of one executor."""
    draw, now_s, arrivals = random.Random(1), 0.0, []
    known = models_of(models)
    for _ in range(6000):
        now_s += draw.expovariate(load * CAPACITY_RPS[slo_ms])
        arrivals.append(Arrival(now_s, f"m{draw.randrange(models)}", slo_ms / 1000))
    lag_s: float = world.get("lag_s", 0.0)
    fates = replay(
        POLICIES[policy](list(known.values()), None, lag_s),
        arrivals,
        World(known, **world),
    )
    return arrivals, fates


def shares(fates: list[Served]) -> Counter[str]:
    return Counter(str(fate.outcome) for fate in fates)


@pytest.mark.parametrize("slo_ms", [50.0, 273.0])
@pytest.mark.parametrize("load", [0.5, 0.9, 1.2, 2.0, 5.0])
def test_goodput_stays_at_capacity_and_nothing_accepted_is_late(load: float, slo_ms: float) -> None:
    arrivals, fates = played(load, slo_ms)
    counts = shares(fates)
    assert counts["late"] == counts["cancelled"] == 0
    assert counts["on_time"] / 6000 > min(1.0, 1 / load) - 0.02
    ages = [f.decided_s - a.arrival_s for f, a in zip(fates, arrivals, strict=True)]
    assert max(ages) == 0.0, "everything is decided when it arrives"


@pytest.mark.parametrize(("load", "share"), [(0.5, 0.99), (0.9, 0.94), (1.2, 0.79), (5.0, 0.19)])
def test_at_eight_times_the_one_request_time_most_of_it_is_kept(load: float, share: float) -> None:
    counts = shares(played(load, 21.84)[1])
    assert counts["late"] == counts["cancelled"] == 0
    assert counts["on_time"] / 6000 > share


def test_executors_share_what_they_all_hold() -> None:
    fates = played(4.5, 50.0, models=4, executors=5)[1]
    busy = Counter(fate.executor for fate in fates if fate.batch)
    assert shares(fates)["on_time"] > 0.97 * 6000
    assert min(busy.values()) > 0.12 * 6000


def test_fifty_executors_are_used_from_the_first_moment() -> None:
    fates = played(45.0, 273.0, models=4, executors=50)[1]
    assert shares(fates)["on_time"] > 0.97 * 6000


def test_who_is_due_earlier_takes_the_place_of_one_who_can_wait() -> None:
    """Six wait behind one that runs, four of them in a full batch; the seventh is urgent."""
    model = {"m": Model("m", {1: 0.010, 4: 0.020})}
    slos_s = [1.0] + [0.5] * 6 + [0.035]
    arrivals = [Arrival(0.0001 * number, "m", slo_s) for number, slo_s in enumerate(slos_s)]
    fates = replay(POLICIES["infadapter"](list(model.values()), None, 0.0), arrivals, World(model))
    assert [fate.outcome for fate in fates] == ["on_time"] * 8
    assert fates[-1].end_s <= arrivals[-1].arrival_s + 0.035


def test_noise_costs_goodput_and_not_the_promise() -> None:
    counts = shares(played(2.0, 273.0, deviation=lognormal(0.2))[1])
    assert counts["late"] + counts["cancelled"] <= 1
    assert counts["on_time"] / 6000 > 0.46


def test_a_lag_is_hidden_by_sending_ahead() -> None:
    counts = shares(played(1.2, 273.0, lag_s=0.001)[1])
    assert counts["late"] == counts["cancelled"] == 0
    assert counts["on_time"] / 6000 > 0.8


@pytest.mark.parametrize("lag_s", [0.0005, 0.003])
def test_with_a_lag_and_loads_exact_executors_keep_every_promise(lag_s: float) -> None:
    counts = shares(played(1.5, 273.0, models=40, pages=70, lag_s=lag_s, executors=3)[1])
    assert counts["late"] == counts["cancelled"] == 0


def test_models_beyond_the_memory_are_loaded_on_demand_and_in_time() -> None:
    fates = played(0.2, 273.0, models=20, pages=70)[1]
    counts = shares(fates)
    assert counts["late"] == counts["cancelled"] == 0
    assert counts["on_time"] > 0.95 * 6000
    assert sum(fate.cold for fate in fates) > 1000


def test_a_model_whose_requests_cannot_wait_for_a_load_is_loaded_for_the_next_ones() -> None:
    slow = {"m": Model("m", {1: 0.001}, load_s=0.05, pages=1)}
    arrivals = [Arrival(0.01 * number, "m", 0.01) for number in range(50)]
    fates = replay(
        POLICIES["infadapter"](list(slow.values()), None, 0.0), arrivals, World(slow, pages=1)
    )
    outcomes = [fate.outcome for fate in fates]
    assert outcomes[:5] == ["refused"] * 5
    assert outcomes[7:] == ["on_time"] * 43


def test_with_loads_among_executions_nobody_is_left_without_an_answer() -> None:
    """Three models take turns in memory for two, and some of their requests can't wait."""
    times_s = {1: 0.01, 2: 0.012, 4: 0.014}
    models = {name: Model(name, times_s, load_s=0.03, pages=1) for name in "abc"}
    draw, now_s, arrivals = random.Random(1), 0.0, []
    for _ in range(500):
        now_s += draw.expovariate(150)
        arrivals.append(Arrival(now_s, draw.choice("abc"), draw.choice((0.06, 0.1, 0.2, 0.4))))
    policy = POLICIES["infadapter"](list(models.values()), None, 0.0)
    counts = shares(replay(policy, arrivals, World(models, pages=2, shared_load=True)))
    assert counts["late"] == counts["cancelled"] == 0
    assert counts["on_time"] + counts["refused"] == 500


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("pages", [None, 14])
def test_each_policy_answers_everybody_and_keeps_the_rules(policy: str, pages: int | None) -> None:
    options = {} if pages is None else {"pages": pages}
    fates = played(0.2, 273.0, models=4, policy=policy, **options)[1]
    assert all(fate.outcome for fate in fates)
    assert not overlaps(fates)


def overlaps(fates: list[Served]) -> bool:
    runs = sorted({(fate.executor, fate.start_s, fate.end_s) for fate in fates if fate.batch})
    return any(a[0] == b[0] and b[1] < a[2] - 1e-9 for a, b in pairwise(runs))


def test_without_admission_everybody_is_late_in_overload() -> None:
    for policy in ("fifo", "fifo-batching", "edf", "aimd"):
        assert shares(played(1.2, 50.0, policy=policy)[1])["on_time"] < 0.1 * 6000


def test_released_clockwork_keeps_goodput_and_tells_the_refused_at_their_deadline() -> None:
    arrivals, fates = played(2.0, 273.0, policy="clockwork")
    ages = [
        f.decided_s - a.arrival_s
        for f, a in zip(fates, arrivals, strict=True)
        if f.outcome == "refused"
    ]
    assert shares(fates)["on_time"] / 6000 > 0.48
    assert min(ages) > 0.26
