"""
The `LoadSource` port on Prometheus: a History or a named error, and what pods delivered where it is
known.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import (
    Delivered,
    History,
    LoadError,
    NoData,
    QueryFailed,
    Sample,
    StaleData,
)
from infadapter_operator.periodic import is_due
from infadapter_operator.prometheus.answers import LEAST_INTERVAL_S, answers_of, counted_over_s
from infadapter_operator.prometheus.connection import MAX_POINTS, Prometheus
from infadapter_operator.prometheus.coverage import Coverage
from infadapter_operator.prometheus.queries import (
    Servers,
    counted_within_s,
    delivered_over_s,
    delivered_query,
    fresh_for_s,
)
from infadapter_operator.prometheus.read import (
    all_samples_of,
    delivered_of,
    is_rate,
    rates_of,
    samples_of,
)
from infadapter_operator.prometheus.replicas import is_a_part
from infadapter_operator.prometheus.rolling import RollingSamples

ANSWER_SERIES = 8
"""Upper limit on the series of `answers_query`."""

LONG_AGAIN_AFTER_S = 60.0
"""
Seconds after which an unreadable long window is queried again, since each attempt may take seconds.
"""


class PrometheusLoad:
    """
    The load of one service, from a query that returns one series of requests per second, and what
    its servers delivered. Answers are cached, so that a cycle makes one short query.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        query: str,
        servers: Servers | None = None,
        answers_query: str | None = None,
        by_pod_query: str | None = None,
        load_from: Prometheus | None = None,
    ) -> None:
        """
        `by_pod_query` is the load by serving pod, if pods count requests. `load_from` answers the
        load query, if that differs from `prometheus`.
        """
        self._load_from = load_from or prometheus
        self.prometheus, self.query, self.servers = prometheus, query, servers
        self.answers_query = answers_query
        self.coverage = _coverage(servers) if by_pod_query and servers else None
        self._by_pod_query = by_pod_query
        step_s = counted_over_s(servers.scrape_s) if servers else LEAST_INTERVAL_S
        self._answers = RollingSamples[Answers](ask=self._ask_answers, step_s=step_s)
        scrape_s = servers.scrape_s if servers else 1.0
        self._fine = RollingSamples[Sample](
            ask=self._ask,
            step_s=1,
            gap_s=fresh_for_s(scrape_s),
            settle_s=counted_within_s(scrape_s),
            is_a_part=is_a_part,
        )
        self._coarse: RollingSamples[Sample] | None = None
        self._no_long_at_s = -math.inf

    @property
    def asked(self) -> tuple[str, Servers | None, str | None, str | None]:
        return self.query, self.servers, self.answers_query, self._by_pod_query

    async def history(self, window_s: float, now_s: float) -> History:
        """
        Return samples one second apart in the last hour, and farther apart before.

        If older data cannot be read, less of it is returned: missing old data stops nothing. Raises
        a LoadError.
        """
        samples = await self._fine.window(min(window_s, MAX_POINTS), now_s)
        if not samples:
            raise NoData("Prometheus has no such series in this window")
        if samples[-1].at_s < math.floor(now_s) - 2:
            raise StaleData(f"the last sample is {now_s - samples[-1].at_s:.0f} s old")
        recent = await self._whole(History(samples))
        if window_s <= MAX_POINTS:
            return recent
        older = await self._older(window_s, now_s)
        return History((*(s for s in older if s.at_s < samples[0].at_s), *recent.samples))

    async def _whole(self, history: History) -> History:
        """
        Return the history with the load of serving pods that are not counted. Raises PartialData or
        QueryFailed.
        """
        if self.coverage is None:
            return history
        at_s = history.samples[-1].at_s
        answer = await self._answer(self.prometheus.instant, self._by_pod_query, at_s)
        return self.coverage.judged(history, rates_of(answer))

    async def _older(self, window_s: float, now_s: float) -> tuple[Sample, ...]:
        long = self._long(window_s)
        if not is_due(self._no_long_at_s, LONG_AGAIN_AFTER_S, now_s):
            return long.known
        try:
            return await long.window(window_s, now_s)
        except QueryFailed:
            self._no_long_at_s = now_s
            return long.known

    def _long(self, window_s: float) -> RollingSamples[Sample]:
        step_s = math.ceil(window_s / MAX_POINTS)
        if self._coarse is None or self._coarse.step_s != step_s:
            self._coarse = RollingSamples(ask=self._ask_older, step_s=step_s)
        return self._coarse

    async def _ask(self, start_s: int, end_s: int, step_s: int) -> tuple[Sample, ...]:
        answer = await self._answer(self._load_from.range, self.query, start_s, end_s, step_s)
        return samples_of(answer)

    async def _ask_older(self, start_s: int, end_s: int, step_s: int) -> tuple[Sample, ...]:
        """
        Return older samples without invalid ones; unlike the last sample they are not the current
        load.
        """
        answer = await self._answer(self._load_from.range, self.query, start_s, end_s, step_s)
        return tuple(filter(is_rate, all_samples_of(answer)))

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """Return the delivered rates by pod name; empty if unknown. Raises nothing."""
        if self.servers is None:
            return {}
        query = delivered_query(self.servers, window_s)
        try:
            answer = await self._answer(self.prometheus.instant, query, now_s)
        except QueryFailed:
            return {}
        return delivered_of(answer, delivered_over_s(self.servers, window_s))

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        """
        Return the answers by interval; None if nothing counts them or Prometheus does not answer.
        """
        if self.answers_query is None:
            return None
        try:
            return await self._answers.window(window_s, now_s)
        except QueryFailed:
            return None

    async def _ask_answers(self, start_s: int, end_s: int, step_s: int) -> tuple[Answers, ...]:
        assert self.answers_query is not None
        answer = await self._answer(
            self.prometheus.range, self.answers_query, start_s, end_s, step_s, ANSWER_SERIES
        )
        return answers_of(answer, step_s)

    async def _answer(self, ask: Callable[..., Any], *question: object) -> Any:
        """Run a blocking query in a thread. Raises QueryFailed."""
        try:
            async with asyncio.timeout(2 * self.prometheus.timeout_s):
                return await asyncio.to_thread(ask, *question)
        except TimeoutError:
            raise QueryFailed("Prometheus did not answer in time") from None


def _coverage(servers: Servers) -> Coverage:
    return Coverage(settle_s=counted_within_s(servers.scrape_s), keep_s=MAX_POINTS)


async def slo_met_ratio(prometheus: Prometheus, query: str, now_s: float) -> float | None:
    """Return the result of `met_query`, or None if it is unknown, which has no consequences."""
    try:
        history = await PrometheusLoad(prometheus, query).history(1.0, now_s)
    except LoadError:
        return None
    return min(1.0, history.samples[-1].rps)
