"""What the name of a column says: a time, numbers of requests, their rate, or something else."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Kind(StrEnum):
    RATE = "rate"
    COUNT = "count"
    TOTAL = "total"  # a count, or a counter that only grows
    LOAD = "load"  # but whether counts or rates it does not say
    OTHER = "other"  # surely no load
    UNKNOWN = "unknown"


class Said(NamedTuple):
    kind: Kind
    per_s: int = 1  # of a rate: 60 per minute


_RATES = {"rps": 1, "qps": 1, "tps": 1, "ops": 1, "cps": 1, "hps": 1, "iops": 1, "reqps": 1}
_RATES |= {"rpm": 60, "qpm": 60, "tpm": 60, "opm": 60, "cpm": 60, "rph": 3600}
_PERIODS = (
    (r"(?:s|sec|secs|second|seconds)", 1),
    (r"(?:m|min|mins|minute|minutes)", 60),
    (r"(?:h|hr|hour|hours)", 3600),
    (r"(?:d|day|days)", 86_400),
)
_COUNTS = {
    *("request", "requests", "req", "reqs", "count", "counts", "cnt", "number", "num", "hits"),
    *("calls", "invocations", "queries", "arrivals", "visits", "pageviews", "events", "tweets"),
    *(
        "transactions",
        "messages",
        "jobs",
        "tasks",
        "anfragen",
        "zugriffe",
        "anzahl",
        "requestcount",
    ),
}
_LOADS = {
    *("value", "values", "val", "y", "load", "traffic", "workload", "demand", "throughput", "rate"),
    "views",
}
_TOTALS = {"total", "cumulative", "cum", "counter", "cumsum"}
_OTHERS = {
    *("latency", "latencies", "duration", "durations", "elapsed", "delay", "wait", "runtime"),
    *("ms", "us", "ns", "seconds", "secs", "milliseconds", "millis", "microseconds", "sec", "time"),
    *("bytes", "size", "sizes", "length", "len", "tokens", "token", "kb", "mb", "gb", "bandwidth"),
    *("error", "errors", "err", "fail", "failed", "failure", "failures", "failed", "dropped"),
    *(
        "status",
        "code",
        "success",
        "ratio",
        "percent",
        "pct",
        "utilization",
        "utilisation",
        "usage",
    ),
    *("cpu", "memory", "mem", "ram", "gpu", "disk", "load1", "load5", "load15", "temperature"),
    *("p50", "p90", "p95", "p99", "p999", "percentile", "quantile", "median", "stddev", "std"),
    *("user", "users", "vus", "threads", "thread", "pods", "replicas", "nodes", "instances"),
    *("id", "ids", "uid", "pid", "port", "ip", "host", "address", "price", "cost", "age", "index"),
    *(
        "bucket",
        "inflight",
        "concurrency",
        "concurrent",
        "active",
        "queue",
        "queued",
        "connections",
    ),
}
_TIMES = {
    *("timestamp", "time", "ts", "datetime", "date", "arrival", "arrived", "when", "epoch"),
    *("second", "seconds", "sec", "minute", "minutes", "min", "hour", "hours", "day", "moment"),
    *("uhrzeit", "zeit", "zeitpunkt", "datum", "millisecond", "milliseconds", "msec", "unixtime"),
    *("timestamps", "times", "ds", "start", "end"),
}
_TIME_UNITS = {
    **dict.fromkeys(("ns", "nanos", "nanosecond", "nanoseconds", "nsec"), "ns"),
    **dict.fromkeys(("us", "µs", "μs", "micros", "microsecond", "microseconds", "usec"), "us"),
    **dict.fromkeys(("ms", "millis", "millisecond", "milliseconds", "msec"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}


@lru_cache(maxsize=1024)
def of_values(name: str) -> Said:
    """Of a column that holds numbers."""
    words = words_of(name)
    rate = _rate(name, words)
    known = set(words)
    if known & (_OTHERS - {"seconds", "sec", "secs"}) and not _only_per_time(words, rate):
        return Said(Kind.OTHER)
    if rate:
        return Said(Kind.RATE, rate)
    if known & {"seconds", "sec", "secs"}:
        return Said(Kind.OTHER)
    if known & _TOTALS and (known & _COUNTS or len(known) == 1):
        return Said(Kind.TOTAL)
    if known & _COUNTS:
        return Said(Kind.COUNT)
    return Said(Kind.LOAD if known & _LOADS else Kind.UNKNOWN)


def is_time(name: str) -> bool:
    """The name of a column of times; a duration's is none."""
    words = words_of(name)
    if not words or of_duration(words):
        return False
    return any(word in _TIMES for word in words) and not set(words) & (_COUNTS | {"per"})


def time_unit(name: str) -> str | None:
    """As `_ms`, `(us)` or `minute` says it; None where the name has no unit."""
    words = words_of(name)
    return _TIME_UNITS.get(words[-1]) if words else None


def words_of(name: str) -> list[str]:
    """Lower case; of RequestsPerSec and requests_per_sec the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^0-9a-zA-Zäöüßµμ/]+|/", apart.lower()) if word]


def of_duration(words: list[str]) -> bool:
    return bool(
        set(words) & {"duration", "latency", "elapsed", "response", "service", "processing", "wait"}
    )


def _rate(name: str, words: list[str]) -> int | None:
    """Per how many seconds."""
    for word in words:
        if word in _RATES:
            return _RATES[word]
    text = " ".join(words)
    for period, seconds in _PERIODS:
        if re.search(rf"\bper ?{period}\b", text) or re.search(rf"/ ?{period}\b", name.lower()):
            return seconds
    counted = set(words) & (_COUNTS - {"count", "number", "num"})
    return 1 if "rate" in words and counted else None


def _only_per_time(words: list[str], rate: int | None) -> bool:
    """Whether what seems to be a duration is that of `per second`."""
    if not rate:
        return False
    rest = set(words) & _OTHERS
    return rest <= {"seconds", "sec", "secs", "time"} and "time" not in rest
