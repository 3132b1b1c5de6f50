"""
Throughput and accuracy delivered by pods with operating points, as differences between two readings
of their servers' metrics. In a cluster Prometheus reads the same metrics.
"""

import asyncio
from collections.abc import Callable, Mapping
from math import inf
from typing import NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from infadapter_operator.domain.load import Delivered
from infadapter_profiles import wire


class Counts(NamedTuple):
    """Cumulative counters of one server."""

    arrived: float
    refused: float
    answered: float
    fast: float  # answered within the SLO
    told: float  # with a known operating point …
    accuracy: float  # … and the sum of their accuracies


class ServersDelivered:
    """Reads the servers; `addresses` returns their addresses by pod name."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        addresses: Callable[[], Mapping[str, str]],
        slo_s: float,
    ) -> None:
        self._session, self._addresses, self._slo_s = session, addresses, slo_s
        self._before: tuple[float, Mapping[str, Counts]] = (0.0, {})

    async def since_last(self, now_s: float) -> Mapping[str, Delivered]:
        """
        Return what each pod delivered since the last call, without pods that did not respond at
        either time.
        """
        asked = self._addresses()
        texts = await asyncio.gather(*map(self._text, asked.values()))
        counts = {
            pod: counts_of(text, self._slo_s)
            for pod, text in zip(asked, texts, strict=True)
            if text
        }
        (then_s, before), self._before = self._before, (now_s, counts)
        return {
            pod: between(before[pod], now, now_s - then_s)
            for pod, now in counts.items()
            if pod in before and now_s > then_s
        }

    async def _text(self, address: str) -> str:
        try:
            async with self._session.get(f"http://{address}{wire.METRICS_PATH}") as response:
                return await response.text() if response.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError):
            return ""


def counts_of(text: str, slo_s: float) -> Counts:
    """Parse a server's metrics."""
    bound_s = next((b for b in wire.LATENCY_BOUNDS_S if b >= slo_s), inf)
    found = dict.fromkeys(Counts._fields, 0.0)
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            if field := _field(name, labels, bound_s):
                found[field] += value
    return Counts(**found)


def _field(name: str, labels: Mapping[str, str], bound_s: float) -> str | None:
    if name == wire.SERVER_REQUESTS:
        return "refused" if labels["code"] == str(wire.REFUSED_STATUS) else None
    if name == f"{wire.SERVER_LATENCY}_bucket":
        return "fast" if float(labels["le"]) == bound_s else None
    return {
        wire.SERVER_ARRIVALS: "arrived",
        f"{wire.SERVER_LATENCY}_count": "answered",
        f"{wire.SERVER_ACCURACY}_count": "told",
        f"{wire.SERVER_ACCURACY}_sum": "accuracy",
    }.get(name)


def between(before: Counts, after: Counts, over_s: float) -> Delivered:
    since = Counts(*(now - then for then, now in zip(before, after, strict=True)))
    missed = since.refused + since.answered - since.fast
    accuracy = since.accuracy / since.told if since.told > 0 else None
    return Delivered.counted(since.arrived, max(0.0, missed), over_s, accuracy)
