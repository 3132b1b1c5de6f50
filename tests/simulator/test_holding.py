"""How much was held: against counting each second."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_simulator.holding import holding
from infadapter_simulator.world.pods import Held
from infadapter_solver import CPU, Target
from infadapter_workload.holding import Holding

SECONDS = 30
changes = st.lists(
    st.tuples(st.integers(0, SECONDS + 5), st.integers(0, 3), st.integers(0, 12)), max_size=25
)


def held_of(some: Sequence[tuple[int, int, int]]) -> list[Held]:
    """At whole seconds, in whole cores."""
    return [
        Held(at_s=at_s, slot=slot, target=Target("a", CPU), price=cores, millicores=1000 * cores)
        for at_s, slot, cores in sorted(some, key=lambda change: change[0])
    ]


def counted(held: Sequence[Held], budget_cores: int, begin_s: int, end_s: int) -> Holding:
    """Second by second, what each pod was last said to hold."""
    levels = []
    for second in range(begin_s, end_s):
        last = {change.slot: change.millicores for change in held if change.at_s <= second}
        levels.append(sum(last.values()) // 1000)
    runs = "".join("x" if level > budget_cores else " " for level in levels).split()
    return Holding(
        core_seconds=sum(levels),
        cost_seconds=sum(levels),
        peak_cores=max(levels, default=0),
        core_seconds_over_budget=sum(max(0, level - budget_cores) for level in levels),
        seconds_over_budget=sum(level > budget_cores for level in levels),
        longest_over_budget_s=max(map(len, runs), default=0),
    )


@given(changes, st.integers(0, 20), st.integers(0, 10), st.integers(0, SECONDS))
def test_holding_is_what_counting_each_second_finds(
    some: list[tuple[int, int, int]], budget_cores: int, begin_s: int, end_s: int
) -> None:
    held = held_of(some)
    found = holding(held, 1000 * budget_cores, begin_s, end_s)
    assert found == counted(held, budget_cores, begin_s, end_s)


def test_a_pause_within_the_budget_breaks_the_time_over_it() -> None:
    held = held_of([(0, 1, 5), (10, 1, 3), (12, 1, 6), (20, 1, 0)])
    found = holding(held, 4000, 0, 30)
    assert found.longest_over_budget_s == 10
    assert found.core_seconds_over_budget == 10 * 1 + 8 * 2
    assert found.peak_cores == 6


def test_a_change_that_lasts_no_time_is_no_peak() -> None:
    found = holding(held_of([(3, 1, 9), (3, 1, 2)]), 4000, 0, 10)
    assert found.peak_cores == 2
    assert found.core_seconds == pytest.approx(14)
