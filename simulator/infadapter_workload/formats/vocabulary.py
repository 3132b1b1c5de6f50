"""Words in the column names of monitors, load testers and traces."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RATES = {
    **dict.fromkeys(("rps", "qps", "tps", "ops", "cps", "hps", "iops", "reqps"), 1),
    **dict.fromkeys(("rpm", "qpm", "tpm", "opm", "cpm"), 60),
    "rph": 3600,
}
"""Units of rates, with their period in seconds."""

PERIODS = (
    (r"(?:s|secs?|seconds?|sekunden?|secondes?|segundos?|secondi|secondo|seconden)", 1),
    (r"(?:m|mins?|minutes?|minuten?|minutos?|minuti|minuto|minuut)", 60),
    (r"(?:h|hrs?|hours?|stunden?|std|heures?|horas?|ore|ora|uur)", 3600),
    (r"(?:d|days?|tage?|jours?|d[ií]as?|giorni|giorno|dag|dagen)", 86_400),
)
"""Periods in English, German, French, Spanish, Portuguese, Italian and Dutch, in seconds."""

PER_WORDS = ("per", "pro", "je", "par", "por")
EACH_WORDS = ("al", "alla", "all", "every", "each")
PER = rf"(?:per ?|(?:{'|'.join((*PER_WORDS[1:], *EACH_WORDS))}) )"
"""
Pattern of a word for "per". Only `per` may be joined with its period: prod is not a day, and pros
are not seconds.
"""

LENGTHS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
"""Units of PromQL durations, in seconds."""

SECONDS = _words("seconds secs sec")

COUNTS = _words(
    "request requests req reqs count counts cnt number num hits calls invocations queries arrivals "
    "visits pageviews events tweets transactions messages jobs tasks anfragen zugriffe anzahl "
    "requêtes requetes peticiones solicitudes consultas richieste requisições requisicoes verzoeken"
)

ONE = _words("request req query call invocation")
"""Words that may precede the name of something else, as in `request payload`."""

LOADS = _words("value values val y load last traffic workload demand throughput rate views sum")
"""Words for a load that may be a count or a rate."""

TOTALS = _words("total cumulative cum counter cumsum")

OTHERS = SECONDS | _words(
    "latency latencies duration durations elapsed delay wait runtime time ms us ns milliseconds "
    "millis microseconds bytes size sizes length len tokens token kb mb gb bandwidth "
    "error errors err fail failed failure failures dropped rejected blocked retries retry denied "
    "throttled cancelled canceled aborted refused timeout timeouts unsuccessful invalid discarded "
    "shed skipped expired misses exception exceptions warnings alerts restart restarts slow gc "
    "status code success ratio percent pct utilization utilisation usage "
    "cpu memory mem ram gpu disk load1 load5 load15 temperature "
    "p50 p90 p95 p99 p999 percentile quantile median stddev std "
    "user users vus threads thread pods replicas nodes instances workers containers cores "
    "processes goroutines executors shards partitions "
    "id ids uid pid port ip host address price cost age index "
    "bucket inflight flight concurrency concurrent active queue queued connections pending waiting "
    "capacity limit quota target threshold predicted prediction forecast expected"
)
"""Words that exclude load, whatever stands beside them."""

THINGS = _words(
    "pod replica node instance worker container core process host server shard partition session "
    "connection socket goroutine executor device gpu vm"
)
"""
Words whose number is not load, as in `pod_count`. Alone, such a word is the name of a series, as in
pod-a.
"""

TIMES = _words(
    "timestamp timestamps time times ts t datetime date arrival arrived when epoch unixtime moment "
    "second seconds sec minute minutes min hour hours day millisecond milliseconds msec ds start "
    "end uhrzeit zeit zeitpunkt datum"
)

PARTS_OF_TIME = _words("year month day hour minute second date")

DURATIONS = _words("duration latency elapsed response service processing wait")

THOUSANDS = _words("k thousand thousands million millions mio tsd")

TIME_UNITS = {
    **dict.fromkeys(("ns", "nanos", "nanosecond", "nanoseconds", "nsec"), "ns"),
    **dict.fromkeys(("us", "µs", "μs", "micros", "microsecond", "microseconds", "usec"), "us"),
    **dict.fromkeys(("ms", "millis", "millisecond", "milliseconds", "msec"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
