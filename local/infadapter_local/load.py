"""
The LoadSource port on this machine: Envoy's counter, read before every cycle. In a cluster
Prometheus reads the same counter.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping

import aiohttp

from infadapter_local.answers import Counts, answers_between, counts_of, stats_filter
from infadapter_local.delivered import ServersDelivered
from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import (
    Delivered,
    History,
    InvalidData,
    LoadError,
    NoData,
    QueryFailed,
    Sample,
    StaleData,
)

_STALE_AFTER_S = 3.0
_KEPT = 10_000


class EnvoyLoad:
    """Arrivals per second at one router, between calls of `read`. `clock` gives the loop's time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        admin_url: str,
        service_key: str,
        clock: Callable[[], float],
        slo_s: float,
        servers: ServersDelivered | None = None,
    ) -> None:
        name = f"http.{service_key}.downstream_rq_total"
        self._url = f"{admin_url}/stats"
        self._filter = {"filter": f"^{name}$"}
        self._session, self._servers = session, servers
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=_KEPT)
        self._last: tuple[float, int] | None = None
        self._error: LoadError | None = None
        self._slo_s, self._stats = (
            slo_s,
            {"format": "prometheus", "filter": stats_filter(service_key)},
        )
        self._counted: tuple[float, Counts] | None = None
        self._answers: deque[Answers] = deque(maxlen=_KEPT)

    async def history(self, window_s: float, now_s: float) -> History:
        """Return the load. Raises a LoadError if nothing was read yet, or not recently."""
        recent = tuple(s for s in self._samples if now_s - window_s <= s.at_s <= now_s)
        if not recent:
            raise self._error or NoData("The router has been asked once only, so far.")
        if now_s - recent[-1].at_s > _STALE_AFTER_S:
            raise self._error or StaleData(
                f"The router's counter was last read {now_s - recent[-1].at_s:.0f} s ago."
            )
        return History(recent)

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """
        Return what pods with operating points delivered; `LoadSource.delivered` explains why only
        those.
        """
        return {} if self._servers is None else await self._servers.since_last(now_s)

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        """Return the answers by interval between two readings; the histogram is seconds late."""
        try:
            counts = counts_of(await self._text(self._stats), self._slo_s)
        except QueryFailed:
            return None
        before, self._counted = self._counted, (now_s, counts)
        if before and (answers := answers_between(before[1], counts, before[0], now_s)):
            self._answers.append(answers)
        return tuple(one for one in self._answers if now_s - window_s < one.at_s <= now_s)

    async def read(self) -> None:
        """Read the counter; an error is kept and raised by `history`."""
        try:
            total = await self._total()
        except LoadError as error:
            self._error = error
            return
        self._error = None
        now_s = self._clock()
        before, self._last = self._last, (now_s, total)
        if before is not None and total >= before[1] and now_s > before[0]:
            # A lower counter means that the router restarted: the rate is unknown.
            rps = (total - before[1]) / (now_s - before[0])
            self._samples.append(Sample(now_s, rps))

    async def _text(self, params: Mapping[str, str]) -> str:
        try:
            async with self._session.get(self._url, params=params) as response:
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise QueryFailed(f"The router does not tell its statistics: {error!r}.") from error

    async def _total(self) -> int:
        text = await self._text(self._filter)
        if not text.strip():
            raise NoData("The router counts no requests of this service.")
        value = float(text.rpartition(":")[2]) if _is_number(text) else math.nan
        if not (math.isfinite(value) and value >= 0):
            raise InvalidData(f"The router's counter is no number: {text.strip()[:80]!r}.")
        return int(value)


def _is_number(line: str) -> bool:
    try:
        float(line.rpartition(":")[2])
    except ValueError:
        return False
    return True
