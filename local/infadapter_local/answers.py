"""
Outcomes of requests at one router, as differences between two readings of its counters. Envoy
counts answers by class of status, so 500 and 503 cannot be told apart and both count as refused.
"""

import math
import re
from collections.abc import Mapping

from infadapter_operator.domain.error_budget import Answers, answers_told
from infadapter_profiles import wire

_LINE = re.compile(r"^(\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
_CLASS = re.compile(rf'{wire.ROUTER_CODE_CLASS}="(\d)"')
_BOUND = re.compile(r'le="([^"]+)"')

Counts = Mapping[str, float]


def stats_filter(service_key: str) -> str:
    """Return the filter for the Envoy statistics that `counts_of` reads."""
    return rf"^http\.{re.escape(service_key)}\.downstream_rq_(time|[1-5]xx)$"


def counts_of(text: str, slo_s: float) -> Counts:
    """Parse Envoy's Prometheus text: answers by class of status, and those within the SLO."""
    counts: dict[str, float] = {}
    for name, labels, value in _LINE.findall(text):
        if name == f"{wire.ROUTER_LATENCY}_count":
            counts["answered"] = float(value)
        elif name == f"{wire.ROUTER_LATENCY}_bucket" and _is_slo(labels, slo_s):
            counts["fast"] = float(value)
        elif name == wire.ROUTER_ANSWERS and (found := _CLASS.search(labels)):
            counts[found[1]] = float(value)
    return counts


def _is_slo(labels: str, slo_s: float) -> bool:
    found = _BOUND.search(labels)
    return found is not None and math.isclose(float(found[1]), round(slo_s * 1000))


def answers_between(
    before: Counts, after: Counts, since_s: float, until_s: float
) -> Answers | None:
    """Return the answers in between, or None if the counters are missing or were reset."""
    since = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in {*before, *after}}
    if "answered" not in after or min(since.values()) < 0 or until_s <= since_s:
        return None
    return answers_told(
        until_s,
        until_s - since_s,
        answered=since["answered"],
        late=since["answered"] - since.get("fast", 0.0),
        refused=since.get("5", 0.0),
        failed=sum(since.get(c, 0.0) for c in "134"),
    )
