"""Requests delivered by pods, from an HTTP server, and from a real Prometheus if installed."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infadapter_operator.domain.load import Delivered
from infadapter_operator.prometheus.client import PrometheusLoad
from infadapter_operator.prometheus.connection import AS_LATE_AS_IT_IS, MAX_SERIES, connect
from infadapter_operator.prometheus.queries import Servers, delivered_query
from infadapter_operator.prometheus.refusals import ONLY_WHOLE
from infadapter_profiles.wire import LATENCY_BOUNDS_S
from infadapter_server.serving.metrics import ServerMetrics
from tests.operator.prometheus_world import Answers, Exposing, scraping, served
from tests.patience import PATIENCE_S

NOW_S = 1_800_000_000.7
RESNETS = Servers("vision", frozenset({"resnet-r18", "resnet-r34"}), scrape_s=1.0, slo_s=0.75)


@pytest.fixture
def server() -> Iterator[Answers]:
    with served(Answers()) as answers:
        yield answers


async def ask(
    url: str,
    timeout_s: float = PATIENCE_S,
    now_s: float = NOW_S,
    window_s: float = 5.0,
    servers: Servers | None = RESNETS,
) -> Mapping[str, Delivered]:
    prometheus = connect(url, timeout_s)
    try:
        return await PrometheusLoad(prometheus, "q", servers).delivered(window_s, now_s)
    finally:
        prometheus.connection.close()


def series(pod: object, what: object, rps: object) -> Any:
    return {"metric": {"pod": pod, "what": what}, "value": [NOW_S, rps]}


def vector(*result: object) -> Any:
    return {"status": "success", "data": {"resultType": "vector", "result": list(result)}}


PLAIN = {"arrived": "10", "missed": "0"}
GOOD = (series("good", "arrived", "10"), series("good", "missed", "0"))


async def test_each_pod_has_what_arrived_and_what_it_missed(server: Answers) -> None:
    server.answer = vector(
        series("one", "arrived", "10"),
        series("two", "arrived", "20"),
        series("two", "missed", "2.5"),
        series("one", "missed", "0"),
    )
    assert await ask(server.url) == {
        "one": Delivered(10.0, 0.0, 5.0),
        "two": Delivered(20.0, 2.5, 5.0),
    }


async def test_a_pod_that_fails_tells_nothing(server: Answers) -> None:
    """It refuses nothing and is never late, so its calibration would rise without end."""
    server.answer = vector(
        *GOOD,
        series("good", "failed", "1"),
        series("bad", "arrived", "10"),
        series("bad", "missed", "0"),
        series("bad", "failed", "1.1"),
    )
    assert (await ask(server.url)).keys() == {"good"}


async def test_more_missed_than_arrived_are_as_many(server: Answers) -> None:
    server.answer = vector(series("one", "missed", "3"), series("one", "arrived", "2"))
    assert await ask(server.url) == {"one": Delivered(2.0, 2.0, 5.0)}


async def test_of_a_pod_with_operating_points_it_says_how_accurate_these_were(
    server: Answers,
) -> None:
    accuracy = {"one": "0.75", "two": "NaN", "three": "1.5"}
    server.answer = vector(
        *(series(pod, what, rps) for pod in accuracy for what, rps in PLAIN.items()),
        *(series(pod, "accuracy", told) for pod, told in accuracy.items()),
        series("gone", "accuracy", "0.7"),
    )
    found = await ask(server.url)
    assert {pod: told.accuracy for pod, told in found.items()} == {
        "one": 0.75,
        "two": None,
        "three": None,
    }


async def test_rare_scrapes_make_the_time_longer_and_are_said_to(server: Answers) -> None:
    server.answer = vector(series("one", "arrived", "10"), series("one", "missed", "0"))
    rarely = replace(RESNETS, scrape_s=5.0)
    assert (await ask(server.url, servers=rarely))["one"].over_s == 15.0


async def test_the_question_is_one_and_for_now_and_bounded(server: Answers) -> None:
    server.answer = vector()
    assert await ask(server.url) == {}
    assert server.asked == {
        "query": delivered_query(RESNETS, 5.0),
        "time": f"{NOW_S:.3f}",
        "timeout": "200s",
        "limit": str(MAX_SERIES),
        **ONLY_WHOLE,
        **AS_LATE_AS_IT_IS,
    }


async def test_of_servers_that_are_not_known_nothing_is_asked(server: Answers) -> None:
    server.answer = vector(*GOOD)
    assert await ask(server.url, servers=None) == {}
    assert server.asked == {}


@pytest.mark.parametrize(
    "odd",
    [
        (series("odd", "arrived", "10"),),
        (series("odd", "missed", "0"),),
        *[
            (series("odd", "arrived", arrived), series("odd", "missed", refused))
            for arrived, refused in [
                ("NaN", "0"),
                ("10", "NaN"),
                ("+Inf", "0"),
                ("-1", "0"),
                ("10", "-1"),
                ("10", "x"),
                ("10", None),
                (10**400, "0"),
            ]
        ],
        (series("odd", "arrived", "10"), series("odd", "came", "0")),
        (series(["odd"], "arrived", "10"), series(["odd"], "missed", "0")),
        (series("odd", "arrived", "10"), series("odd", ["missed"], "0")),
        ({"metric": {"pod": "odd"}, "value": [NOW_S, "1"]},),
        ({"metric": None, "value": [NOW_S, "1"]},),
        ({"metric": {"pod": "odd", "what": "arrived"}},),
        ({"metric": {"pod": "odd", "what": "arrived"}, "value": ["1"]},),
        ({"metric": {"pod": "odd", "what": "arrived"}, "value": 1},),
        ("x", 1, None, []),
    ],
)
async def test_of_what_is_odd_only_that_pod_is_left_out(server: Answers, odd: Any) -> None:
    server.answer = vector(*odd, *GOOD)
    assert await ask(server.url) == {"good": Delivered(10.0, 0.0, 5.0)}


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"",
        [],
        {},
        {"data": None},
        {"data": []},
        {"data": {"result": None}},
        {"data": {"result": "x"}},
        {"data": {"resultType": "scalar", "result": [NOW_S, "1"]}},
        {"data": {"result": {"metric": {}, "value": [NOW_S, "1"]}}},
    ],
)
async def test_an_answer_that_cannot_be_read_teaches_nothing(
    server: Answers, answer: object
) -> None:
    server.answer = answer
    assert await ask(server.url) == {}


@pytest.mark.parametrize("status", [400, 422, 500, 503])
async def test_an_error_teaches_nothing(server: Answers, status: int) -> None:
    server.status, server.answer = status, vector(*GOOD)
    assert await ask(server.url) == {}


async def test_a_slow_answer_teaches_nothing(server: Answers) -> None:
    server.may_answer.clear()
    server.answer = vector(*GOOD)
    assert await ask(server.url, timeout_s=0.1) == {}


async def test_nobody_there_teaches_nothing() -> None:
    assert await ask("http://127.0.0.1:1", timeout_s=1.0) == {}


@pytest.mark.parametrize(
    ("window_s", "scrape_s", "range_s"), [(5.0, 1.0, 5), (20.5, 1.0, 21), (5.0, 15.0, 45)]
)
def test_a_window_holds_several_scrapes(window_s: float, scrape_s: float, range_s: int) -> None:
    query = delivered_query(Servers("vision", frozenset({"r18"}), scrape_s, 0.75), window_s)
    assert query.count(f"[{range_s}s]") == 7


@pytest.mark.parametrize(
    ("slo_s", "bound"),
    [(0.4, "0.4([.]0)?"), (0.3001, "0.4([.]0)?"), (1.0, "1([.]0)?"), (11.0, "[+]Inf")],
)
def test_late_is_what_took_longer_than_the_first_bucket_that_holds_the_slo(
    slo_s: float, bound: str
) -> None:
    assert f'le=~"{bound}"' in delivered_query(replace(RESNETS, slo_s=slo_s), 5.0)


def test_the_buckets_are_those_of_our_server() -> None:
    text = ServerMetrics("v").exposition().decode()
    bounds = re.findall(r'latency_seconds_bucket\{le="([0-9.]+)"', text)
    assert tuple(map(float, bounds)) == LATENCY_BOUNDS_S


# --- a real Prometheus -------------------------------------------------------------------------


class Pods(Exposing):
    """Servers whose counters rise at given rates, by pod, namespace and status code."""

    def __init__(self) -> None:
        super().__init__()
        self.began_s = time.time()
        self.arriving = {
            ("resnet-r18-a-b", "vision"): 40.0,
            ("resnet-r34-c-d", "vision"): 10.0,
            ("resnet-r34-without-codes", "vision"): 10.0,
            ("resnet-r34-fails-always", "vision"): 10.0,
            ("resnet-r18-e-f", "audio"): 10.0,
            ("resnet-r50-g-h", "vision"): 10.0,
        }
        self.answering = {
            ("resnet-r18-a-b", "vision", 200): 34.0,
            ("resnet-r18-a-b", "vision", 500): 2.0,
            ("resnet-r18-a-b", "vision", 503): 4.0,
            ("resnet-r34-c-d", "vision", 200): 10.0,
            ("resnet-r34-c-d", "vision", 503): 0.0,
            ("resnet-r34-without-codes", "vision", 200): 10.0,
            ("resnet-r34-fails-always", "vision", 200): 0.0,
            ("resnet-r34-fails-always", "vision", 500): 10.0,
            ("resnet-r34-fails-always", "vision", 503): 0.0,
            ("resnet-r18-e-f", "audio", 503): 1.0,
            ("resnet-r50-g-h", "vision", 503): 1.0,
        }

    def text(self) -> str:
        lasted_s = time.time() - self.began_s
        arrivals = [
            f'infadapter_server_arrivals_total{{pod="{pod}",namespace="{namespace}",variant="v"}}'
            f" {int(rps * lasted_s)}\n"
            for (pod, namespace), rps in self.arriving.items()
        ]
        answers = [
            f'infadapter_server_requests_total{{pod="{pod}",namespace="{namespace}",variant="v",'
            f'code="{code}"}} {int(rps * lasted_s)}\n'
            for (pod, namespace, code), rps in self.answering.items()
        ]
        latencies = [
            f'infadapter_server_latency_seconds_{what}{{pod="{pod}",namespace="{namespace}",'
            f'variant="v"{le}}} {int(rps * lasted_s)}\n'
            for (pod, namespace, code), ok_rps in self.answering.items()
            if code == 200
            for what, le, rps in (
                ("bucket", ',le="0.75"', 0.95 * ok_rps),
                ("bucket", ',le="+Inf"', ok_rps),
                ("count", "", ok_rps),
            )
        ]
        of_points = [
            f'infadapter_server_accuracy_{what}{{pod="resnet-{pod}",namespace="vision",variant="v"}}'
            f" {rps * lasted_s}\n"
            for pod, what, rps in (
                ("r18-a-b", "sum", 34 * 0.75),
                ("r18-a-b", "count", 34.0),
                ("r34-c-d", "sum", 0.0),  # of a server without operating points
                ("r34-c-d", "count", 0.0),
            )
        ]
        return "".join(arrivals + answers + latencies + of_points)


@pytest.fixture
def pods() -> Iterator[Pods]:
    with served(Pods()) as pods:
        yield pods


@pytest.fixture
def prometheus_url(pods: Pods, tmp_path: Path) -> Iterator[str]:
    with scraping(tmp_path, pods) as url:
        yield url


async def wait_for(url: str, wanted: Any, window_s: float = 5.0) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not wanted(found := await ask(url, now_s=time.time(), window_s=window_s)):
        assert time.monotonic() < end_s, f"still {found}"
        time.sleep(0.3)  # noqa: ASYNC251 - nothing else runs in this loop


def as_counted(found: Mapping[str, Delivered]) -> bool:
    """Whether exactly the service's two pods with both counters are found, at these rates."""
    wanted = {
        "resnet-r18-a-b": Delivered(40.0, 5.7, 5.0, 0.75),  # 4 refused, 1.7 late
        "resnet-r34-c-d": Delivered(10.0, 0.5, 5.0),
    }
    return found.keys() == wanted.keys() and all(
        found[pod].arrived_rps == pytest.approx(rates.arrived_rps, rel=0.15)
        and found[pod].missed_rps == pytest.approx(rates.missed_rps, rel=0.3, abs=0.25)
        and found[pod].accuracy == (rates.accuracy and pytest.approx(rates.accuracy, rel=0.02))
        for pod, rates in wanted.items()
    )


async def test_prometheus_tells_what_each_pod_delivered_while_it_is_scraped(
    prometheus_url: str, pods: Pods
) -> None:
    await wait_for(prometheus_url, as_counted)

    pods.began_s = time.time()  # a restart resets their counters
    await wait_for(prometheus_url, as_counted)

    await wait_for(prometheus_url, lambda found: len(found) == 2, window_s=20.0)
    late_s = time.time() + 15.0  # the window has samples, but too old ones
    assert await ask(prometheus_url, now_s=late_s, window_s=20.0) == {}

    pods.alive = False
    await wait_for(prometheus_url, lambda found: found == {})
