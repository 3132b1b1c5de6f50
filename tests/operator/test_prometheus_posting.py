"""How queries reach Prometheus through proxies: POST, or GET if POST is refused."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from infadapter_operator.domain.load import QueryFailed
from infadapter_operator.prometheus.connection import Prometheus, connect
from infadapter_operator.prometheus.queries import Servers, delivered_query
from tests.operator.prometheus_world import Answers, served
from tests.patience import PATIENCE_S

NOW_S = 1_800_000_000.7
NAMES = frozenset(f"recommendations-efficientnet-v2-l-{n}-nvidia-com-mig-1g.5gb" for n in range(24))
LONG = delivered_query(Servers("vision", NAMES, 1.0, 0.3), 30.0)
SHORTEST_LIMIT = 4096
"""Characters of a URL: nginx accepts request lines of 8 kB."""


@pytest.fixture
def server() -> Iterator[Answers]:
    with served(Answers()) as answers:
        answers.gives((NOW_S - 1, "3"))
        yield answers


@pytest.fixture
def prometheus(server: Answers) -> Iterator[Prometheus]:
    asked = connect(server.url, PATIENCE_S)
    yield asked
    asked.connection.close()


def methods(server: Answers) -> list[str]:
    return [method for method, _ in server.requests]


def test_a_long_question_is_not_in_the_address(server: Answers, prometheus: Prometheus) -> None:
    """Regression: a proxy answered 414 to the long URL, and calibration had no data."""
    assert len(quote(LONG)) > 16_384
    prometheus.instant(LONG, NOW_S)
    assert server.asked["query"] == LONG
    assert server.asked["time"] == "1800000000.700"
    prometheus.range(LONG, 1_800_000_000, 1_800_000_060, 1)
    assert server.asked["query"] == LONG
    assert (server.asked["start"], server.asked["step"]) == ("1800000000", "1")
    assert max(length for _, length in server.requests) < SHORTEST_LIMIT
    assert server.by_address == set()


class Reading(Answers):
    """A server that refuses POST, with a status and a page, and answers GET."""

    refuses = 405, "text/html"

    @property
    def _told(self) -> tuple[int, str]:
        posted = self.requests and self.requests[-1][0] == "POST"
        return self.refuses if posted else (200, "application/json")

    @property
    def status(self) -> int:
        return self._told[0]

    @status.setter
    def status(self, _: int) -> None:
        return

    @property
    def content_type(self) -> str:
        return self._told[1]

    @content_type.setter
    def content_type(self, _: str) -> None:
        return


@pytest.mark.parametrize("refuses", [403, 405, 501])
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_who_takes_no_form_is_asked_by_address_from_then_on(refuses: int, kind: str) -> None:
    """403: on OpenShift's port 9092, POST needs the right to create, not only to read."""
    with served(Reading()) as server:
        server.refuses = refuses, kind
        server.gives((NOW_S - 1, "3"))
        prometheus = connect(server.url, PATIENCE_S)
        for _ in range(2):
            assert prometheus.range("q", 1_800_000_000, 1_800_000_060, 1)
        prometheus.connection.close()
        assert methods(server) == ["POST", "GET", "GET"]
        assert server.by_address >= {"query", "start", "end", "step", "partial_response"}


def test_who_may_not_ask_at_all_is_told_so_and_asked_anew(
    server: Answers, prometheus: Prometheus
) -> None:
    """Once a valid token arrives, long queries must be sent by POST again."""
    server.status = 403
    with pytest.raises(QueryFailed, match="it answered 403"):
        prometheus.instant("q", NOW_S)
    server.status = 200
    prometheus.instant("q", NOW_S)
    assert methods(server) == ["POST", "GET", "POST"]


@pytest.mark.parametrize(
    ("status", "asked"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_question_is_not_lost_on_a_way_round(server: Answers, status: int, asked: str) -> None:
    """A redirect's URL lacks a query sent in the body; it caused 400, "query is missing"."""
    with served(Answers()) as first:
        first.status, first.answer_headers = status, {"Location": f"{server.url}/api/v1/query"}
        first.answer_headers["Location"] += "?query=q" if asked == "GET" else ""
        prometheus = connect(first.url, PATIENCE_S)
        assert prometheus.instant("q", NOW_S)
        prometheus.connection.close()
    assert methods(server) == [asked]
    assert server.asked["query"] == "q"


def test_the_namespace_that_a_proxy_judges_by_stays_in_the_address(
    server: Answers, prometheus: Prometheus
) -> None:
    replace(prometheus, params={"namespace": "vision"}).instant("q", NOW_S)
    assert server.by_address == {"namespace"}
    assert server.asked["namespace"] == "vision"
    assert methods(server) == ["POST"]
