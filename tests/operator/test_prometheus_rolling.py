"""The rolling buffer of a query always equals a fresh query."""

import asyncio
import math

from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.load import LoadError, QueryFailed, Sample
from infadapter_operator.prometheus.rolling import (
    FULL_REFRESH_EVERY_S,
    LATE_SAMPLES_S,
    RollingSamples,
)

WINDOW_S = 200


class Database:
    """Values by second. Each is final some time later; before, it is another one or missing."""

    def __init__(self, seed: int) -> None:
        self.seed, self.now_s, self.fails = seed, 0.0, False
        self.asked: list[tuple[int, int]] = []

    def value(self, at_s: int) -> float | None:
        chaos = hash((self.seed, at_s))
        if chaos % 7 == 0:  # is scraped late or never
            late_s = chaos % (2 * LATE_SAMPLES_S)
            return None if late_s > LATE_SAMPLES_S or self.now_s < at_s + late_s else 5.0
        changes = self.now_s < at_s + chaos % LATE_SAMPLES_S
        return float(chaos % 100) / 2 if changes else float(chaos % 100)

    async def ask(self, start_s: int, end_s: int, step_s: int) -> tuple[Sample, ...]:
        if self.fails:
            raise QueryFailed("no answer")
        self.asked.append((start_s, end_s))
        found = ((at, self.value(at)) for at in range(start_s, end_s + 1, step_s))
        return tuple(Sample(float(at), rps) for at, rps in found if rps is not None)


@given(
    seed=st.integers(0, 10_000),
    step_s=st.sampled_from([1, 3, 25]),
    looks=st.lists(
        st.tuples(st.floats(0.1, 400.0), st.booleans(), st.sampled_from([30, WINDOW_S, 600])),
        min_size=1,
        max_size=12,
    ),
)
def test_the_buffer_equals_a_fresh_query_after_gaps_and_late_samples(
    seed: int, step_s: int, looks: list[tuple[float, bool, int]]
) -> None:
    database = Database(seed)
    database.now_s = 10_000.0
    kept = RollingSamples(ask=database.ask, step_s=step_s)
    for passed_s, fails, window_s in looks:
        database.now_s += passed_s
        database.fails = fails
        try:
            found = asyncio.run(kept.window(window_s, database.now_s))
        except LoadError:
            assert fails
            continue
        database.fails = False
        fresh = RollingSamples(ask=database.ask, step_s=step_s)
        assert found == asyncio.run(fresh.window(window_s, database.now_s))


async def test_a_look_asks_for_little() -> None:
    database = Database(1)
    kept = RollingSamples(ask=database.ask, step_s=1)
    for second in range(10_000, 10_000 + FULL_REFRESH_EVERY_S):
        database.now_s = float(second)
        await kept.window(1800, second)
    first, *others = database.asked
    assert first[1] - first[0] == 1800
    assert max(end - start for start, end in others) == LATE_SAMPLES_S + 1


async def test_a_clock_that_is_set_back_begins_anew() -> None:
    database = Database(1)
    kept = RollingSamples(ask=database.ask, step_s=1)
    for now_s in (10_000.0, 9_000.0):
        database.now_s = now_s
        samples = await kept.window(WINDOW_S, now_s)
        assert samples[-1].at_s <= now_s
        assert samples[0].at_s >= math.floor(now_s) - WINDOW_S
