"""Outcomes of requests, from an HTTP server, and from a real Prometheus if installed."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import QueryFailed
from infadapter_operator.prometheus.answers import (
    answers_of,
    answers_query,
    counted_over_s,
    served_answers_query,
)
from infadapter_operator.prometheus.client import ANSWER_SERIES, PrometheusLoad
from infadapter_operator.prometheus.connection import connect
from infadapter_operator.prometheus.queries import Servers
from tests.operator import prometheus_world
from tests.operator.prometheus_world import Exposing, scraping, served
from tests.patience import PATIENCE_S

NOW_S = 1_800_000_007.5
RESNETS = Servers("vision", frozenset({"resnet-r18"}), scrape_s=1.0, slo_s=0.3)
ROUTED, SERVED = answers_query(RESNETS, "resnet"), served_answers_query(RESNETS)
ALONE = Servers("alone", frozenset({"resnet-r18"}), scrape_s=1.0, slo_s=0.3)


@pytest.fixture
def server() -> Iterator[prometheus_world.Answers]:
    with served(prometheus_world.Answers()) as answers:
        yield answers


async def ask(
    url: str, query: str | None = ROUTED, now_s: float = NOW_S, window_s: float = 60.0
) -> tuple[Answers, ...] | None:
    prometheus = connect(url, PATIENCE_S)
    try:
        return await PrometheusLoad(prometheus, "q", RESNETS, query).answers(window_s, now_s)
    finally:
        prometheus.connection.close()


def matrix(**counts: list[tuple[float, str]]) -> list[Any]:
    return [
        {"metric": {"what": what}, "values": [list(v) for v in values]}
        for what, values in counts.items()
    ]


def whole(at_s: float, *counts: float) -> list[Any]:
    names = ("answered", "late", "refused", "failed")
    return matrix(**{n: [(at_s, str(c))] for n, c in zip(names, counts, strict=True)})


async def test_each_interval_has_what_became_of_its_requests(
    server: prometheus_world.Answers,
) -> None:
    found = matrix(
        answered=[(15.0, "10"), (30.0, "20")],
        late=[(15.0, "1"), (30.0, "0")],
        refused=[(15.0, "2"), (30.0, "0")],
        failed=[(15.0, "3"), (30.0, "0")],
    )
    server.answer = {"status": "success", "data": {"resultType": "matrix", "result": found}}
    assert await ask(server.url) == (
        Answers(15.0, 15.0, 4.0, 1.0, 2.0, 3.0),
        Answers(30.0, 15.0, 20.0, 0.0, 0.0, 0.0),
    )


async def test_the_question_is_one_on_whole_intervals_and_bounded(
    server: prometheus_world.Answers,
) -> None:
    server.answer = {"data": {"result": []}}
    assert await ask(server.url) == ()
    assert server.asked["query"] == ROUTED
    assert server.asked["step"] == "15"
    assert server.asked["limit"] == str(ANSWER_SERIES)
    assert int(server.asked["end"]) % 15 == 0
    assert int(server.asked["end"]) - int(server.asked["start"]) == 60


async def test_where_nobody_counts_nothing_is_asked(server: prometheus_world.Answers) -> None:
    assert await ask(server.url, None) is None
    assert server.asked == {}


@pytest.mark.parametrize("status", [400, 500])
async def test_no_answer_is_nothing_known(server: prometheus_world.Answers, status: int) -> None:
    server.status = status
    assert await ask(server.url) is None


@pytest.mark.parametrize(
    "odd", [{}, [1], [{"values": []}], [{"metric": {"what": "late"}, "values": [[1]]}], "x"]
)
async def test_an_answer_that_can_not_be_read_is_nothing_known(
    server: prometheus_world.Answers, odd: Any
) -> None:
    server.answer = {"data": {"result": odd}}
    assert await ask(server.url) is None
    with pytest.raises(QueryFailed):
        answers_of(odd, 15.0)


@pytest.mark.parametrize("count", ["NaN", "+Inf", "-1"])
def test_an_interval_of_which_not_all_is_told_is_left_out(count: str) -> None:
    names = ("answered", "late", "refused", "failed")
    for odd in names:
        counts = {n: [(15.0, count if n == odd else "1"), (30.0, "1")] for n in names}
        assert [one.at_s for one in answers_of(matrix(**counts), 15.0)] == [30.0]


def test_counters_that_do_not_agree_make_no_negative_count() -> None:
    assert answers_of(whole(15.0, 5, 3, 3, 3), 15.0) == (Answers(15.0, 15.0, 0.0, 3.0, 3.0, 3.0),)


@pytest.mark.parametrize(("scrape_s", "over_s"), [(1.0, 15), (5.0, 20), (60.0, 240)])
def test_an_interval_holds_several_scrapes(scrape_s: float, over_s: int) -> None:
    assert counted_over_s(scrape_s) == over_s


# --- a real Prometheus --------------------------------------------------------------------------


HISTORY_S = 60


class RouterAndServers(Exposing):
    """
    Metrics of 100 rps: 10 late, 8 refused, 2 failed at a server, 5 client errors (404). The first
    scrape has each second of the last minute, so that tests need not wait for whole intervals.
    """

    def __init__(self, namespace: str, has_servers: bool) -> None:
        super().__init__()
        self.began_s = time.time() - HISTORY_S
        self.namespace, self.has_servers = namespace, has_servers
        self.history_told = False

    def text(self) -> str:
        if self.history_told:
            return self.counted(time.time())
        self.history_told = True
        moments_s = [self.began_s + after_s for after_s in range(HISTORY_S + 1)]
        return "".join(self.counted(at_s, f" {round(at_s * 1000)}") for at_s in moments_s)

    def counted(self, at_s: float, stamp: str = "") -> str:
        lasted_s = at_s - self.began_s
        router, other = (
            f'envoy_http_conn_manager_prefix="{self.namespace}/{name}"'
            for name in ("resnet", "other")
        )
        counted = [
            (f"envoy_http_downstream_rq_time_count{{{router}}}", 100.0),
            (f'envoy_http_downstream_rq_time_bucket{{{router},le="300"}}', 90.0),
            (f'envoy_http_downstream_rq_time_bucket{{{router},le="+Inf"}}', 100.0),
            (f"envoy_http_downstream_rq_time_count{{{other}}}", 1000.0),
            *[
                (f'envoy_http_downstream_rq_xx{{{router},envoy_response_code_class="{c}"}}', rps)
                for c, rps in (("2", 85.0), ("4", 5.0), ("5", 10.0))
            ],
        ]
        pods = f'namespace="{self.namespace}",pod="resnet-r18-a-b",variant="v"'
        servers = [
            (f'infadapter_server_requests_total{{{pods},code="200"}}', 85.0),
            (f'infadapter_server_requests_total{{{pods},code="500"}}', 2.0),
            (f'infadapter_server_requests_total{{{pods},code="503"}}', 8.0),
            (f"infadapter_server_latency_seconds_count{{{pods}}}", 85.0),
            (f'infadapter_server_latency_seconds_bucket{{{pods},le="0.3"}}', 75.0),
        ]
        told = counted + (servers if self.has_servers else [])
        return "".join(f"{series} {int(rps * lasted_s)}{stamp}\n" for series, rps in told)


@dataclass(frozen=True)
class Scraped:
    url: str
    history_ends_s: float

    async def last(self, query: str) -> list[float]:
        """Return requests per second by outcome in the last interval of the history."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            found = await ask(self.url, query, now_s=self.history_ends_s)
            if found and len(found) > 1:
                return [count / found[-1].over_s for count in found[-1][2:]]
            assert time.monotonic() < until_s, f"still {found}"
            time.sleep(0.1)  # noqa: ASYNC251 - nothing else runs in this loop


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        served(RouterAndServers("vision", True)) as one,
        served(RouterAndServers("alone", False)) as other,
        scraping(folder, one, other) as url,
    ):
        yield Scraped(url, min(one.began_s, other.began_s) + HISTORY_S)


async def test_prometheus_tells_what_became_of_the_requests(prometheus: Scraped) -> None:
    routed, by_servers = await prometheus.last(ROUTED), await prometheus.last(SERVED)
    assert routed == pytest.approx([75.0, 10.0, 8.0, 7.0], rel=0.03, abs=0.1)
    assert by_servers == pytest.approx([75.0, 10.0, 8.0, 2.0], rel=0.03, abs=0.1)


async def test_without_servers_that_are_scraped_what_failed_counts_as_refused(
    prometheus: Scraped,
) -> None:
    routed = await prometheus.last(answers_query(ALONE, "resnet"))
    assert routed == pytest.approx([75.0, 10.0, 10.0, 5.0], rel=0.03, abs=0.1)
