"""Nobody serves more than the bounds of the benchmark say: by brute force, and by our scheduler."""

import random
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scheduler_bounds import at_arrival, foreseen
from infadapter_scheduler import Arrival, Model, Scheduler, World, replay

TIMES = {1: 3.0, 2: 4.0, 4: 5.0}
arrivals = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), min_size=1, max_size=6)


def most(asked: tuple[tuple[int, str], ...], slo_s: float) -> int:
    """Any order, any batches."""

    @cache
    def served(left: frozenset[int], now_s: float) -> int:
        found = [0]
        for size, seconds in TIMES.items():
            for batch in combinations(sorted(left), size):
                end_s = max(now_s, *(asked[each][0] for each in batch)) + seconds
                alike = len({asked[each][1] for each in batch}) == 1
                if alike and all(end_s <= asked[each][0] + slo_s for each in batch):
                    found.append(size + served(left - set(batch), end_s))
        return max(found)

    return served(frozenset(range(len(asked))), 0.0)


@settings(max_examples=40)
@given(arrivals, st.integers(3, 9))
def test_nobody_serves_more_than_is_foreseen(asked: list[tuple[int, str]], slo_s: int) -> None:
    asked = sorted(asked)
    share = foreseen([Arrival(at, model, slo_s) for at, model in asked], TIMES)
    best = most(tuple(asked), slo_s)
    assert share * len(asked) >= best - 1e-6
    if len({model for _, model in asked}) == 1:
        assert share * len(asked) == pytest.approx(best)


def test_ours_serves_no_more_than_is_foreseen_and_hardly_more_than_at_arrival() -> None:
    draw, now_s, asked, models = random.Random(1), 0.0, list[Arrival](), 16
    times_s, rate_rps = {1: 0.003, 2: 0.004, 4: 0.006}, 1000.0
    for _ in range(1500):
        now_s += draw.expovariate(rate_rps)
        asked.append(Arrival(now_s, f"m{draw.randrange(models)}", 0.05))
    known = {f"m{n}": Model(f"m{n}", times_s) for n in range(models)}
    fates = replay(Scheduler(known.values()), asked, World(known))
    ours = sum(fate.outcome == "on_time" for fate in fates) / len(asked)
    assert ours <= foreseen(asked, times_s) < 1
    assert ours <= at_arrival(rate_rps, models, 0.05, times_s) + 0.05 < 1


@pytest.mark.parametrize("load", [1.2, 2.0, 5.0])
def test_an_overload_is_served_in_batches_of_which_two_do_not_fit_into_the_slo(load: float) -> None:
    """Two batches of four take 254 ms of an SLO of 250, and four serve 1.3 times what twos do."""
    times_s, slo_s = {1: 0.053, 2: 0.083, 4: 0.127, 8: 0.237}, 0.25
    draw, now_s, asked = random.Random(1), 0.0, list[Arrival]()
    for _ in range(round(500 * load)):
        now_s += draw.expovariate(load * 8 / times_s[8])
        asked.append(Arrival(now_s, "m", slo_s))
    known = {"m": Model("m", times_s)}
    fates = replay(Scheduler(known.values()), asked, World(known))
    ours = sum(fate.outcome == "on_time" for fate in fates) / len(asked)
    assert ours >= 0.92 * foreseen(asked, times_s)
