"""
What became of requests, on every platform: of one story all tell the same. Two are refused, two are
late and four in time, within one interval.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from infadapter_local.delivered import ServersDelivered
from infadapter_local.load import EnvoyLoad
from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered
from infadapter_operator.prometheus.answers import answers_query
from infadapter_operator.prometheus.client import PrometheusLoad
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.prometheus.queries import Servers
from infadapter_operator.prometheus.read import delivered_of
from infadapter_simulator.platform import SimulatedLoad
from infadapter_simulator.scenario import PodSpeed, PointSpeed, Scenario, Server
from infadapter_simulator.simulate import flat_history
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_solver.problem import CPU, Allocation, PodSize, Variant

SLO_S = 0.6
STORY = (4.0, 2.0, 2.0, 0.0)
Told = tuple[Answers, ...]


async def on_kubernetes() -> Told | None:
    counts = dict(zip(("answered", "late", "refused", "failed"), (8, *STORY[1:]), strict=True))
    matrix = [
        {"metric": {"what": what}, "values": [[60.0, str(count)]]} for what, count in counts.items()
    ]
    connection: Any = SimpleNamespace(custom_query_range=lambda *_, **__: matrix)
    servers = Servers("vision", frozenset({"r18"}), 1.0, SLO_S)
    query = answers_query(servers, "resnet")
    load = PrometheusLoad(Prometheus(connection, 5.0), "q", servers, query)
    return await load.answers(60.0, 60.0)


ENVOY = """
envoy_http_downstream_rq_xx{{envoy_response_code_class="2"}} {0}
envoy_http_downstream_rq_xx{{envoy_response_code_class="5"}} {1}
envoy_http_downstream_rq_time_bucket{{envoy_http_conn_manager_prefix="a/b",le="600"}} {2}
envoy_http_downstream_rq_time_bucket{{envoy_http_conn_manager_prefix="a/b",le="6000"}} {3}
envoy_http_downstream_rq_time_count{{envoy_http_conn_manager_prefix="a/b"}} {3}
"""


async def on_this_machine() -> Told | None:
    texts = iter([ENVOY.format(100, 10, 105, 110), ENVOY.format(106, 12, 111, 118)])

    @asynccontextmanager
    async def get(url: str, params: object) -> AsyncIterator[SimpleNamespace]:
        async def text() -> str:
            return next(texts)

        yield SimpleNamespace(text=text)

    session: Any = SimpleNamespace(get=get)
    load = EnvoyLoad(session, "http://127.0.0.1:1", "a/b", lambda: 0.0, SLO_S)
    await load.answers(60.0, 0.0)
    return await load.answers(60.0, 10.0)


async def simulated() -> Told | None:
    """One pod, half a second a request, of which two may wait: of four that come at once …"""
    size = PodSize(resources={CPU: 1000})
    allocations = (Allocation(size=size, capacity_rps=2.0),)
    variant = Variant(name="a", accuracy=0.7, load_time_s=1.0, allocations=allocations)
    speeds = {("a", size): PodSpeed(1, 0.5)}
    scenario = Scenario(variants=(variant,), speeds=speeds, slo_s=SLO_S, server=Server.PUBLISHED)
    arrivals_s = np.array([1.0, 1.01, 1.02, 1.03, 5.0, 5.01, 8.0, 8.6])
    world = world_of_requests(scenario, arrivals_s, flat_history(1.0), 60, 1)
    world.resources.queue_limits = {("a", 1000): 1}
    pod = world.start("a", size, ready=True)
    world.route({pod.name: 1})
    load = SimulatedLoad(world)
    world.advance(15.0)
    return await load.answers(60.0, world.now_s)


SERVED = """
infadapter_server_arrivals_total{{variant="all"}} {0}
infadapter_server_latency_seconds_count{{variant="all"}} {0}
infadapter_server_latency_seconds_bucket{{variant="all",le="0.75"}} {0}
infadapter_server_latency_seconds_bucket{{variant="all",le="+Inf"}} {0}
infadapter_server_accuracy_count{{variant="all"}} {0}
infadapter_server_accuracy_sum{{variant="all"}} {1}
"""


async def accuracy_on_kubernetes() -> Mapping[str, Delivered]:
    told = {"arrived": 0.4, "missed": 0.0, "failed": 0.0, "accuracy": 0.8}
    vector = [
        {"metric": {"pod": "all-1", "what": what}, "value": [60.0, str(value)]}
        for what, value in told.items()
    ]
    return delivered_of(vector, 10.0)


async def accuracy_on_this_machine() -> Mapping[str, Delivered]:
    texts = iter([SERVED.format(96, 70.0), SERVED.format(100, 73.2)])

    @asynccontextmanager
    async def get(url: str) -> AsyncIterator[SimpleNamespace]:
        async def text() -> str:
            return next(texts)

        yield SimpleNamespace(text=text, status=200)

    session: Any = SimpleNamespace(get=get)
    servers = ServersDelivered(session, lambda: {"all-1": "127.0.0.1:1"}, SLO_S)
    load = EnvoyLoad(session, "http://127.0.0.1:1", "a/b", lambda: 0.0, SLO_S, servers)
    assert not await load.delivered(10.0, 0.0)
    return await load.delivered(10.0, 10.0)


async def accuracy_simulated() -> Mapping[str, Delivered]:
    size = PodSize(resources={CPU: 1000})
    allocations = (Allocation(size=size, capacity_rps=9.0),)
    variant = Variant(name="all", accuracy=0.9, load_time_s=1.0, allocations=allocations)
    points = (PointSpeed(0.8, 0.2), PointSpeed(0.7, 0.1))
    scenario = Scenario(
        variants=(variant,), speeds={("all", size): PodSpeed(1, 0.1, points)}, slo_s=SLO_S
    )
    arrivals_s = np.array([12.0, 14.0, 16.0, 18.0])
    world = world_of_requests(scenario, arrivals_s, flat_history(1.0), 60, 1)
    pod = world.start("all", size, ready=True)
    world.route({pod.name: 1})
    load = SimulatedLoad(world)
    world.advance(10.0)
    assert all(one.accuracy is None for one in (await load.delivered(10.0, 10.0)).values())
    world.advance(20.0)
    return await load.delivered(10.0, 20.0)


@pytest.mark.parametrize(
    "platform", [accuracy_on_kubernetes, accuracy_on_this_machine, accuracy_simulated]
)
async def test_of_a_pod_with_operating_points_it_is_told_how_accurate_its_answers_were(
    platform: Callable[[], Awaitable[Mapping[str, Delivered]]],
) -> None:
    (one,) = (await platform()).values()
    assert (one.arrived_rps, one.missed_rps, one.over_s) == (0.4, 0.0, 10.0)
    assert one.accuracy == pytest.approx(0.8)


@pytest.mark.parametrize("platform", [on_kubernetes, on_this_machine, simulated])
async def test_of_one_story_all_tell_the_same(
    platform: Callable[[], Awaitable[Told | None]],
) -> None:
    told = await platform()
    assert told is not None
    (one,) = [answers for answers in told if answers.arrived]
    assert tuple(one[2:]) == STORY
