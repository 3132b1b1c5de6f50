"""What the simulated Prometheus knows of the load: as much as it is asked for."""

import asyncio

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.load import Sample
from infadapter_simulator.platform import SimulatedLoad
from infadapter_simulator.world.of_requests import world_of_requests
from tests.golden.situations import scenario

PAST_S, SECONDS = 500, 60
PAST = np.arange(float(PAST_S))


@settings(deadline=None)  # the first one meets compiled loops
@given(st.lists(st.tuples(st.integers(0, SECONDS), st.floats(1, 2 * PAST_S)), min_size=1))
def test_each_window_has_the_seconds_until_now_whatever_was_asked_before(
    asked: list[tuple[int, float]],
) -> None:
    scene = scenario(20_000)
    world = world_of_requests(scene, np.empty(0), PAST, SECONDS, 0)
    load = SimulatedLoad(world)
    rates = [*PAST.tolist(), *[0.0] * SECONDS]
    every = [Sample(float(at - PAST_S + 1), rate) for at, rate in enumerate(rates)]
    for now_s, window_s in sorted(asked):
        world.advance(float(now_s))
        end_s = int(np.floor(now_s - scene.scrape_delay_s))
        until = PAST_S + end_s
        found = asyncio.run(load.history(window_s, float(now_s)))
        assert list(found.samples) == every[:until][-int(window_s) :]
