"""The adapter against a real HTTP server, and against a real Prometheus if installed."""

import gzip
import itertools
import math
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infadapter_operator.domain.load import (
    History,
    InvalidData,
    LoadError,
    NoData,
    QueryFailed,
    QueryRefused,
    StaleData,
)
from infadapter_operator.prometheus.body import MOST_BYTES
from infadapter_operator.prometheus.client import (
    LONG_AGAIN_AFTER_S,
    PrometheusLoad,
    slo_met_ratio,
)
from infadapter_operator.prometheus.connection import MAX_POINTS, connect
from infadapter_operator.prometheus.queries import (
    Servers,
    arrivals_query,
    met_query,
    served_query,
)
from tests.operator.prometheus_world import Answers, Exposing, scraping, served
from tests.patience import PATIENCE_S

NOW_S = 1_800_000_000.7


@pytest.fixture
def server() -> Iterator[Answers]:
    with served(Answers()) as answers:
        yield answers


async def ask(server: Answers, window_s: float = 60.0, timeout_s: float = PATIENCE_S) -> History:
    prometheus = connect(server.url, timeout_s)
    try:
        return await PrometheusLoad(prometheus, "the_query").history(window_s, NOW_S)
    finally:
        prometheus.connection.close()


async def test_samples_come_in_order_of_time(server: Answers) -> None:
    server.gives((NOW_S - 2, "3"), (NOW_S - 1, "4.5"))
    history = await ask(server)
    assert [sample.rps for sample in history.samples] == [3.0, 4.5]


async def test_no_traffic_is_a_measured_zero(server: Answers) -> None:
    server.gives((NOW_S - 1, "0"))
    assert (await ask(server)).samples[-1].rps == 0.0


async def test_the_question_ends_now_and_is_bounded(server: Answers) -> None:
    server.gives((NOW_S - 1, "0"))
    await ask(server, window_s=60.0)
    assert server.asked["query"] == "the_query"
    assert int(server.asked["end"]) == math.floor(NOW_S)
    assert int(server.asked["start"]) == math.floor(NOW_S) - 60
    assert server.asked["step"] == "1"
    assert server.asked["timeout"] == "200s"
    assert server.asked["limit"] == "2"


async def test_a_long_window_is_asked_for_in_longer_steps(server: Answers) -> None:
    server.gives((NOW_S - 1, "0"))
    await ask(server, window_s=86_400.0)
    points = (int(server.asked["end"]) - int(server.asked["start"])) / int(server.asked["step"])
    assert points <= MAX_POINTS


@pytest.mark.parametrize("answer", [[], [{"metric": {}, "values": []}]])
async def test_an_empty_answer_is_no_data(server: Answers, answer: object) -> None:
    server.answer = {"data": {"result": answer}}
    with pytest.raises(NoData):
        await ask(server)


async def test_an_old_last_sample_is_stale(server: Answers) -> None:
    server.gives((NOW_S - 50, "3"), (NOW_S - 40, "3"))
    with pytest.raises(StaleData, match="s old"):
        await ask(server)


NO_RATES = pytest.mark.parametrize("rps", ["NaN", "+Inf", "-Inf", "-1", "-0.0001"])


@NO_RATES
async def test_what_is_no_rate_is_left_out_and_the_others_count(server: Answers, rps: str) -> None:
    """
    Regression: one invalid sample stopped planning until it left the window, half an hour later. A
    missed scrape can cause one: https://github.com/Yelp/paasta/pull/3034
    """
    server.gives((NOW_S - 3, "2"), (NOW_S - 2, rps), (NOW_S - 1, "3"))
    history = await ask(server)
    assert [sample.rps for sample in history.samples] == [2.0, 3.0]


@NO_RATES
async def test_the_load_is_invalid_where_the_latest_is_no_rate(server: Answers, rps: str) -> None:
    """
    An invalid value must not count as zero: https://github.com/kedacore/keda/issues/7475,
    https://github.com/ai-dynamo/dynamo/issues/3131
    """
    server.gives((NOW_S - 2, "3"), (NOW_S - 1, rps))
    with pytest.raises(InvalidData, match="is no rate"):
        await ask(server)


async def test_several_series_are_invalid(server: Answers) -> None:
    server.gives((NOW_S - 1, "3"), series=2)
    with pytest.raises(InvalidData, match="sum"):
        await ask(server)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        {},
        {"data": None},
        {"data": {"result": {}}},
        {"data": {"result": ["x"]}},
        {"data": {"result": [{"value": [1, "2"]}]}},
        {"data": {"result": [{"values": [[1]]}]}},
        {"data": {"result": [{"values": [[1, "x"]]}]}},
        {"data": {"result": [{"values": None}]}},
        {"data": {"result": [{"values": [[1, 10**400]]}]}},
        b'{"data": ' + b"[" * 200_000,
    ],
)
async def test_an_answer_that_cannot_be_read_is_a_failed_query(
    server: Answers, answer: object
) -> None:
    server.answer = answer
    with pytest.raises(QueryFailed):
        await ask(server)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"status": "error", "error": "1:9: parse error:\n unclosed left parenthesis"},
            "1:9: parse",
        ),
        ({"error": "x" * 10_000}, "xxx"),
    ],
)
async def test_a_refused_query_is_told_in_the_words_of_prometheus(
    server: Answers, status: int, answer: object, said: str
) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(QueryRefused, match=f"refuses the query: {status}, ") as refused:
        await ask(server)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "answer", ["Client sent an HTTP request to an HTTPS server.", [], {"message": "bad request"}]
)
async def test_what_is_not_said_in_the_form_of_the_api_is_not_blamed_on_the_query(
    server: Answers, answer: object
) -> None:
    server.status, server.answer = 400, answer
    with pytest.raises(QueryFailed, match="400") as failed:
        await ask(server)
    assert failed.value.reason == QueryFailed.reason


@pytest.mark.parametrize("status", [400, 422, 500, 503])
async def test_an_error_is_a_failed_query(server: Answers, status: int) -> None:
    server.status, server.answer = status, {"status": "error", "error": "bad"}
    with pytest.raises(QueryFailed, match=str(status)):
        await ask(server)


@pytest.mark.parametrize(
    "warning",
    [
        "receive 10.0.0.7: connection refused",
        "No StoreAPIs matched for this query",
        "failed to receive any data in 30s from Addr: thanos-store:10901: deadline exceeded",
    ],
)
async def test_a_part_of_the_recent_data_is_a_failed_query(server: Answers, warning: str) -> None:
    """
    Thanos answers 200 with warnings if a store is unavailable, so the load seems to have fallen.
    https://github.com/thanos-io/thanos/issues/622, https://github.com/thanos-io/thanos/issues/1129,
    https://github.com/kubecost/kubecost/issues/451
    """
    server.gives((NOW_S - 1, "3"))
    server.answer = {**server.answer, "warnings": [warning]}
    with pytest.raises(QueryFailed, match=f"only a part of the data is there: {warning}"):
        await ask(server)
    assert server.asked["partial_response"] == "false"


async def test_a_part_that_victoria_metrics_marks_is_a_failed_query(server: Answers) -> None:
    """
    It sends no warning but sets isPartial; other programs have taken such answers as complete, too:
    https://github.com/VictoriaMetrics/VictoriaMetrics/issues/4531,
    https://github.com/VictoriaMetrics/VictoriaMetrics/issues/3603,
    https://github.com/VictoriaMetrics/VictoriaMetrics/issues/10678
    """
    server.gives((NOW_S - 1, "3"))
    server.answer = {**server.answer, "isPartial": True}
    with pytest.raises(QueryFailed, match="only a part of the data is there: it says isPartial"):
        await ask(server)
    server.answer = {**server.answer, "isPartial": False}
    assert (await ask(server)).samples[-1].rps == 3.0


async def test_a_warning_about_the_query_is_no_part(server: Answers) -> None:
    server.gives((NOW_S - 1, "3"))
    server.answer = {**server.answer, "warnings": ["PromQL warning: quantile should be 0 to 1"]}
    assert (await ask(server)).samples[-1].rps == 3.0


async def test_a_slow_answer_is_a_failed_query(server: Answers) -> None:
    server.may_answer.clear()
    with pytest.raises(QueryFailed):
        await ask(server, timeout_s=0.1)


def test_an_answer_that_drips_holds_nobody_for_ever(server: Answers) -> None:
    """
    An answer that comes byte by byte must time out, too. Regression: it took one of the threads for
    requests to the API server, until none was left.
    """
    ended = threading.Event()

    def drops() -> Iterator[bytes]:
        while not ended.wait(0.01):
            yield b" "

    server.answer = drops
    prometheus = connect(server.url, 0.5)
    with pytest.raises(QueryFailed):
        prometheus.instant("q", NOW_S)
    prometheus.connection.close()
    ended.set()


BOMB = gzip.compress(bytes(MOST_BYTES + 2), 1)


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        (lambda: itertools.repeat(b" " * 2**20), {}),
        (BOMB, {"Content-Encoding": "gzip"}),
    ],
    ids=["endless", "packed"],
)
async def test_an_answer_that_would_fill_the_memory_is_a_failed_query(
    server: Answers, answer: object, headers: dict[str, str]
) -> None:
    """
    Users who may write a service may query all series that exist, and not every Prometheus obeys
    `limit`.
    """
    server.answer, server.answer_headers = answer, headers
    with pytest.raises(QueryFailed, match=r"more than 32 MiB: give the query sum\(…\)"):
        await ask(server)


async def test_nobody_there_is_a_failed_query() -> None:
    prometheus = connect("http://127.0.0.1:1", 1.0)
    with pytest.raises(
        QueryFailed, match=r"^Prometheus did not answer: \[Errno 111\] Conn\w+ ref\w+$"
    ):
        await PrometheusLoad(prometheus, "up").history(10.0, NOW_S)


async def test_a_name_that_nobody_knows_is_told_by_its_cause() -> None:
    """
    Elsewhere the cause comes last in the message: https://github.com/osism/testbed/issues/1542,
    https://github.com/red-hat-storage/ocs-ci/issues/11328
    """
    prometheus = connect("http://no-such-host.invalid:9090", 1.0)
    with pytest.raises(QueryFailed, match=r"(?i)name|resol") as failed:
        await PrometheusLoad(prometheus, "up").history(10.0, NOW_S)
    assert "Max retries" not in str(failed.value)


async def test_a_connection_that_is_closed_is_told_by_its_cause() -> None:
    """https://github.com/robusta-dev/krr/issues/317, https://github.com/getsentry/snuba/issues/855"""
    with socket.create_server(("127.0.0.1", 0)) as closing:
        closer = threading.Thread(target=lambda: _hear_and_close(closing))
        closer.start()
        prometheus = connect(f"http://127.0.0.1:{closing.getsockname()[1]}", PATIENCE_S)
        with pytest.raises(
            QueryFailed, match=r"^Prometheus did not answer: Remote end closed connection with"
        ):
            await PrometheusLoad(prometheus, "up").history(10.0, NOW_S)
        closer.join()


def _hear_and_close(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.recv(65_536)
    connection.close()


async def test_a_login_page_is_told_as_what_it_is(server: Answers) -> None:
    """
    E.g. after a token has expired: https://github.com/opendatahub-io/odh-dashboard/issues/832,
    https://github.com/nalbury/promql-cli/issues/25
    """
    server.answer, server.content_type = b"<html>Sign in</html>", "text/html; charset=utf-8"
    with pytest.raises(QueryFailed, match="it answered text/html, not JSON"):
        await ask(server)


PAGE = b"\n<!DOCTYPE html><html><body>Sign in</body></html>"
PAGES = {
    # OpenShift's proxy refuses with a web page: https://github.com/opendatahub-io/odh-dashboard/pull/831
    "refuses": (403, "text/html", "it answered 403, as text/html, not JSON: is a login in front"),
    "shouts": (200, "TEXT/HTML", "it answered text/html, not JSON: is a login in front"),
    "for machines": (200, "application/xhtml+xml", "it answered application/xhtml\\+xml, not JSON"),
    "says it is text": (200, "text/plain", "it answered text/plain, not JSON: is a login in front"),
    "of a proxy": (502, "text/html", "it answered 502, as text/html, not JSON$"),
}


@pytest.mark.parametrize(("status", "kind", "told"), PAGES.values(), ids=PAGES)
async def test_a_page_is_told_as_one_whatever_it_calls_itself(
    server: Answers, status: int, kind: str, told: str
) -> None:
    server.status, server.content_type, server.answer = status, kind, PAGE
    with pytest.raises(QueryFailed, match=told) as failed:
        await ask(server)
    assert "<" not in str(failed.value)


async def test_the_page_of_a_redirect_is_no_login(server: Answers) -> None:
    """
    A redirect to another path or scheme has a page for clients that do not follow it:
    https://github.com/istio/istio/issues/5969, https://github.com/prometheus/prometheus/issues/5108
    """
    server.gives((NOW_S - 1, "3"))
    with served(Answers()) as first:
        first.status, first.content_type, first.answer = 301, "text/html", PAGE
        first.answer_headers = {"Location": f"{server.url}/api/v1/query_range?query=the_query"}
        assert (await ask(first)).samples[-1].rps == 3.0


@pytest.mark.parametrize("answer", [b"", b'{"status": "success", "data": {"resu', b"OK"])
async def test_what_is_no_json_is_told_as_that(server: Answers, answer: bytes) -> None:
    """https://github.com/RedHatInsights/rhsm-subscriptions/pull/3063 (empty, and 200)"""
    server.answer = answer
    with pytest.raises(QueryFailed, match=r"^Prometheus's answer is not the JSON of a query$"):
        await ask(server)


async def test_proxies_of_the_environment_are_not_for_prometheus(
    server: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    server.gives((NOW_S - 1, "3"))
    assert (await ask(server)).samples[-1].rps == 3.0


class Victoria(Answers):
    """VictoriaMetrics: repeats the value of 30 s ago, or omits newer ones, by `latency_offset`."""

    repeats = True

    @property
    def answer(self) -> Any:
        late_s = float(self.asked.get("latency_offset", "30s").removesuffix("s"))
        start, end = int(self.asked["start"]), int(self.asked["end"])
        known_s = int(NOW_S - late_s)
        until_s = end if self.repeats else min(end, known_s)
        values = [[t, str(min(t, known_s) - start)] for t in range(start, until_s + 1)]
        return {"data": {"result": [{"metric": {}, "values": values}]}}

    @answer.setter
    def answer(self, _: Any) -> None:
        return


@pytest.mark.parametrize("repeats", [True, False])
async def test_victoria_metrics_is_asked_for_what_it_has_now(repeats: bool) -> None:
    """
    https://github.com/VictoriaMetrics/VictoriaMetrics/issues/8693 (the same value for 30 s),
    https://github.com/VictoriaMetrics/VictoriaMetrics/issues/3817 (the last values are missing),
    https://github.com/VictoriaMetrics/VictoriaMetrics/issues/1390 (what to send)
    """
    with served(Victoria()) as server:
        server.repeats = repeats
        history = await ask(server)
    assert history.samples[-1].rps >= 59
    assert math.floor(NOW_S) - history.samples[-1].at_s <= 1


class Weeks(Answers):
    """3 rps everywhere except at the end of a long window, or no answer for a long window."""

    last, longs, fails = "3", 0, False

    @property
    def answer(self) -> Any:
        start, end, step = (int(self.asked[name]) for name in ("start", "end", "step"))
        values = [[at_s, "3"] for at_s in range(start, end + 1, step)]
        if step > 1:
            self.longs += 1
            values[-1][1] = self.last
        return b"" if step > 1 and self.fails else {"data": {"result": [{"values": values}]}}

    @answer.setter
    def answer(self, _: Any) -> None:
        return


WEEK_S = 7 * 86_400.0


@NO_RATES
async def test_the_last_of_a_long_window_says_nothing_of_now(rps: str) -> None:
    """It is minutes old. Regression: an invalid one stopped planning until the next step."""
    with served(Weeks()) as server:
        server.last = rps
        history = await ask(server, window_s=WEEK_S)
    assert {sample.rps for sample in history.samples} == {3.0}
    assert history.samples[-1].at_s - history.samples[0].at_s > 0.99 * WEEK_S


async def test_a_long_window_that_can_not_be_read_stops_nothing() -> None:
    """
    Cause: a store of old data is slow, or unavailable where partial answers are refused:
    https://github.com/thanos-io/thanos/issues/3456, https://github.com/thanos-io/thanos/issues/1453,
    https://github.com/thanos-io/thanos/issues/1576. The data known before is kept.
    """
    with served(Weeks()) as server:
        load = PrometheusLoad(connect(server.url, 5.0), "the_query")
        server.fails = True
        lengths = [len((await load.history(WEEK_S, NOW_S + s)).samples) for s in range(3)]
        assert (server.longs, max(lengths)) == (1, MAX_POINTS + 1)
        server.fails = False
        whole = len((await load.history(WEEK_S, NOW_S + LONG_AGAIN_AFTER_S)).samples)
        assert server.longs == 2
        server.fails = True
        later = await load.history(WEEK_S, NOW_S + 400.0)
        assert server.longs == 3
        assert len(later.samples) > whole - 10
        load.prometheus.connection.close()


async def test_a_part_of_a_long_window_will_do() -> None:
    """It must be requested, since otherwise the querier's own setting decides."""
    with served(Weeks()) as server:
        await ask(server, window_s=WEEK_S)
        assert server.asked["partial_response"] == "true"


async def test_a_ratio_that_cannot_be_known_is_none(server: Answers) -> None:
    server.status = 500
    assert await slo_met_ratio(connect(server.url, PATIENCE_S), "q", NOW_S) is None
    server.status = 200
    server.gives((NOW_S - 1, "1.0000001"))
    assert await slo_met_ratio(connect(server.url, PATIENCE_S), "q", NOW_S) == 1.0


# --- a real Prometheus -------------------------------------------------------------------------


class Router(Exposing):
    """A router that counts arrivals and a histogram of answers as Envoy does, at a steady rate."""

    def __init__(self) -> None:
        super().__init__()
        self.began_s = time.time()
        self.rps = 20.0

    def text(self) -> str:
        count = int((time.time() - self.began_s) * self.rps)
        label = 'envoy_http_conn_manager_prefix="vision/resnet"'
        base = "envoy_http_downstream_rq"
        return (
            f"{base}_total{{{label}}} {count}\n"
            f"# TYPE {base}_time histogram\n"
            f'{base}_time_bucket{{{label},le="300"}} {count * 9 // 10}\n'
            f'{base}_time_bucket{{{label},le="+Inf"}} {count}\n'
            f"{base}_time_sum{{{label}}} 1\n{base}_time_count{{{label}}} {count}\n"
            f'infadapter_server_arrivals_total{{namespace="vision",pod="resnet-r18-a-b"}} {count}\n'
        )


@pytest.fixture
def router() -> Iterator[Router]:
    with served(Router()) as router:
        yield router


@pytest.fixture
def prometheus_url(router: Router, tmp_path: Path) -> Iterator[str]:
    with scraping(tmp_path, router) as url:
        yield url


async def reason_or_rps(url: str, query: str) -> str | float:
    try:
        history = await PrometheusLoad(connect(url, PATIENCE_S), query).history(30.0, time.time())
    except LoadError as error:
        return error.reason
    return history.samples[-1].rps


async def wait_for(url: str, query: str, wanted: Any) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not wanted(found := await reason_or_rps(url, query)):
        assert time.monotonic() < end_s, f"still {found}"
        time.sleep(0.3)  # noqa: ASYNC251 - nothing else runs in this loop


async def test_prometheus_counts_arrivals_and_forgets_a_router_that_is_gone(
    prometheus_url: str, router: Router
) -> None:
    query = arrivals_query("vision", "resnet", 1.0)
    assert await reason_or_rps(prometheus_url, arrivals_query("vision", "none", 1.0)) == "NoData"

    def near_20(found: object) -> bool:
        return isinstance(found, float) and 17 <= found <= 23

    await wait_for(prometheus_url, query, near_20)
    served = served_query(
        Servers("vision", frozenset({"resnet-r18", "resnet-r34"}), scrape_s=1.0, slo_s=0.75)
    )
    await wait_for(prometheus_url, served, near_20)

    met = await slo_met_ratio(
        connect(prometheus_url, PATIENCE_S), met_query("vision", "resnet", 0.3), time.time()
    )
    assert met == pytest.approx(0.9, abs=0.05)

    router.began_s = time.time()  # a restart resets its counters
    await wait_for(prometheus_url, query, near_20)

    router.rps = 0.0
    router.began_s = time.time()
    await wait_for(prometheus_url, query, lambda found: found == 0.0)

    router.alive = False
    await wait_for(prometheus_url, query, lambda found: found == "StaleData")
