"""The simulated server that refuses by its deadline is the scheduler of the pod, compiled."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infadapter_scheduler import Model, Scheduler
from infadapter_scheduler.virtual import replay
from infadapter_scheduler.world import Arrival, World
from infadapter_simulator.world.queues import DEADLINE, MOST_WAITING, serve


def of_the_scheduler(
    arrivals_s: list[float], service_s: float, servers: int, slo_s: float
) -> tuple[list[bool], list[float]]:
    model = Model("m", {1: service_s})
    world = World({"m": model}, executors=servers)
    policy = Scheduler([model])
    served = replay(policy, [Arrival(s, "m", slo_s) for s in arrivals_s], world)
    return [one.outcome == "on_time" for one in served], sorted(
        one.end_s for one in served if one.outcome == "on_time"
    )


def of_the_simulator(
    arrivals_s: list[float], service_s: float, servers: int, slo_s: float
) -> tuple[list[bool], list[float]]:
    count = len(arrivals_s)
    slot_of, start_s, finish_s = np.full(count, -1), np.full(count, np.inf), np.full(count, np.inf)
    one = np.ones(1, dtype=np.int64)
    serve(
        np.array(arrivals_s), np.empty(0), np.empty(0), 0, count,
        np.zeros(1, dtype=np.int64), one, np.zeros(1, dtype=np.int64),
        np.zeros((1, servers)), one * servers, np.array([service_s]), one * DEADLINE,
        np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros((1, MOST_WAITING)),
        slo_s, slot_of, start_s, finish_s,
    )  # fmt: skip
    return [bool(slot >= 0) for slot in slot_of], sorted(finish_s[slot_of >= 0].tolist())


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.floats(0.0, 0.2), min_size=1, max_size=60),
    st.floats(0.001, 0.05),
    st.integers(1, 3),
    st.floats(1.0, 12.0),
)
@example([0.0] * 12, 0.01, 2, 3.0)
def test_pod_and_simulated_pod_accept_the_same_requests_and_end_them_alike(
    gaps_s: list[float], service_s: float, servers: int, services_in_the_slo: float
) -> None:
    arrivals_s, slo_s = np.cumsum(gaps_s).tolist(), service_s * services_in_the_slo
    accepted, ends_s = of_the_scheduler(arrivals_s, service_s, servers, slo_s)
    simulated, simulated_ends_s = of_the_simulator(arrivals_s, service_s, servers, slo_s)
    assert simulated == accepted
    np.testing.assert_allclose(simulated_ends_s, ends_s, atol=1e-7)
