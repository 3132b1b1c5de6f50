"""
Custom demand queries, which would read with the operator's credentials: they are forbidden, or sent
to a proxy that restricts them to the service's namespace.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from infadapter_operator.prometheus.connection import connect
from infadapter_operator.settings import CustomQueries, settings_from
from tests.operator.kube.bench import PATH, Bench, service
from tests.operator.prometheus_world import Answers, served

TENANTS = {"query": "sum(rate(requests_total[1m]))"}


def forbidding(bench: Bench) -> Bench:
    environment = {
        "INFADAPTER_PROMETHEUS_TOKEN_FILE": "/token"
    }  # a token that may read the whole cluster
    bench.context.settings = settings_from(environment)
    return bench


def events(bench: Bench) -> list[str]:
    return [
        written["message"]
        for path, written in bench.api.objects.items()
        if "/events" in path and written["reason"] == "SpecInvalid"
    ]


async def test_a_custom_query_that_is_not_allowed_is_named_and_told_once() -> None:
    bench = forbidding(Bench(service(demand=TENANTS)))
    await bench.turns(5)
    assert bench.condition("SpecValid") == ("False", "CustomQueryForbidden")
    assert bench.condition("Ready") == ("False", "CustomQueryForbidden")
    [told] = events(bench)
    assert "demand.query is not allowed here" in told
    assert "prometheus.customQueries" in told


async def test_the_last_plan_stays_when_a_query_is_added_that_is_not_allowed() -> None:
    bench = forbidding(Bench(service()))
    await bench.turns(5)
    planned = bench.status["plan"]["allocations"]
    bench.change(demand=TENANTS)
    await bench.turns(5)
    assert bench.condition("SpecValid") == ("False", "CustomQueryForbidden")
    assert bench.status["plan"]["allocations"] == planned
    bench.change(demand={})
    await bench.turns(2)
    assert bench.condition("SpecValid") == ("True", "Accepted")
    assert len(events(bench)) == 1


async def test_a_service_without_its_own_query_is_planned_where_they_are_forbidden() -> None:
    bench = forbidding(Bench(service()))
    await bench.turns(5)
    assert bench.condition("Ready") == ("True", "Ready")
    assert PATH in bench.api.objects


@pytest.fixture
def proxy() -> Iterator[Answers]:
    with served(Answers()) as answers:
        yield answers


async def test_a_custom_query_is_asked_where_its_namespace_is_forced_into_it(
    proxy: Answers,
) -> None:
    """
    The namespace is sent as a parameter, for prom-label-proxy and port 9092 of OpenShift's Thanos
    querier: https://github.com/kedacore/keda/issues/2575,
    https://github.com/kedacore/keda/issues/4962. Otherwise a tenant's query counts all tenants:
    https://github.com/kserve/kserve/issues/4542
    """
    bench = Bench(service(demand=TENANTS))
    settings = bench.context.settings
    bench.context.settings = replace(settings, custom_queries=CustomQueries.NAMESPACED)
    bench.context.namespaced = connect(proxy.url, 5.0)
    proxy.gives((bench.now_s, "7"))
    await bench.turns(1)
    assert proxy.asked["query"] == TENANTS["query"]
    assert proxy.asked["namespace"] == "vision"
    assert float(bench.status["plan"]["demandRps"]) >= 7
    bench.context.namespaced.connection.close()


async def test_what_the_operator_asks_itself_is_not_asked_there(proxy: Answers) -> None:
    bench = Bench(service())
    bench.context.namespaced = connect(proxy.url, 5.0)
    await bench.turns(5)
    assert proxy.asked == {}
    assert bench.condition("Ready") == ("True", "Ready")
    bench.context.namespaced.connection.close()
