"""The error budget of a service on Kubernetes, from Prometheus's answers to status and event."""

from typing import Any, cast

from prometheus_api_client import PrometheusConnect

from infadapter_operator.prometheus.answers import ANSWERED, FAILED, LATE, REFUSED
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.prometheus.queries import WHAT
from infadapter_operator.settings import Settings
from tests.operator.kube.bench import START_S, Bench, Load, service

WINDOW_S = 300.0


class Answering(Load):
    """Prometheus: `missed` are (time, outcome, requests of the 100 in each later interval)."""

    def __init__(self) -> None:
        super().__init__()
        self.missed: list[tuple[float, str, int]] = []

    def custom_query_range(self, query: str, start: Any, end: Any, step: str, **given: Any) -> Any:
        if WHAT not in query:
            return super().custom_query_range(query, start, end, step, **given)
        moments_s = range(round(start.timestamp()), round(end.timestamp()) + 1, int(step))
        return [
            {"metric": {WHAT: what}, "values": [[s, str(self._count(what, s))] for s in moments_s]}
            for what in (ANSWERED, LATE, REFUSED, FAILED)
        ]

    def _count(self, what: str, at_s: float) -> int:
        counts = [n for since_s, kind, n in self.missed if kind == what and at_s >= since_s]
        return 100 if what == ANSWERED else counts[-1] if counts else 0


def a_bench() -> tuple[Bench, Answering]:
    """Return a bench whose Prometheus has data of a long time."""
    bench, load = Bench(service()), Answering()
    bench.load = load
    bench.context.settings = Settings(error_budget_window_s=WINDOW_S)
    bench.context.prometheus = Prometheus(cast(PrometheusConnect, load), 5.0)
    return bench, load


def told(bench: Bench) -> tuple[str, str]:
    return bench.condition("ErrorBudgetLeft")


def events(bench: Bench) -> list[str]:
    created = (o for path, o in bench.api.objects.items() if "/events/" in path)
    return [event["reason"] for event in created]


def gauge(bench: Bench, name: str) -> float | None:
    return bench.registry.get_sample_value(
        f"infadapter_slo_{name}", {"namespace": "vision", "service": "resnet"}
    )


async def test_late_answers_burn_it_and_it_comes_back() -> None:
    bench, load = a_bench()
    await bench.turns(10)
    assert told(bench) == ("True", "Left")
    assert bench.status["errorBudget"] == {"left": "1", "reserveFactor": "1"}
    planned_rps = float(bench.status["plan"]["demandRps"])

    load.missed += [(bench.now_s, LATE, 40)]
    await bench.turns(60)
    assert told(bench) == ("False", "Burning")
    assert float(bench.status["errorBudget"]["reserveFactor"]) > 1
    assert (gauge(bench, "error_budget_ratio") or 0.0) < 0
    assert float(bench.status["plan"]["demandRps"]) > planned_rps
    assert events(bench).count("ErrorBudgetBurning") == 1

    load.missed += [(bench.now_s, LATE, 0)]
    await bench.turns(round(1.6 * WINDOW_S / 2))
    assert told(bench) == ("True", "Left")
    assert bench.status["errorBudget"]["reserveFactor"] == "1"
    assert events(bench).count("ErrorBudgetBurning") == 1


async def test_what_fails_is_told_and_moves_nothing() -> None:
    bench, load = a_bench()
    load.missed += [(START_S - 2 * WINDOW_S, FAILED, 40)]
    await bench.turns(30)
    assert told(bench) == ("False", "Spent")
    assert bench.status["errorBudget"]["reserveFactor"] == "1"


async def test_a_restarted_operator_goes_on_where_it_was() -> None:
    bench, load = a_bench()
    load.missed += [(START_S, LATE, 40)]
    await bench.turns(60)
    before = bench.status["errorBudget"]
    again = Bench(service(), bench.api)
    again.now_s = bench.now_s
    again.context.settings, again.context.prometheus = (
        bench.context.settings,
        bench.context.prometheus,
    )
    await again.turns(1)
    assert told(again) == ("False", "Burning")
    assert again.status["errorBudget"]["reserveFactor"] == before["reserveFactor"]


async def test_where_prometheus_does_not_count_answers_it_is_not_measured() -> None:
    bench = Bench(service())
    await bench.turns(10)
    assert told(bench) == ("Unknown", "NotMeasured")
    assert "errorBudget" not in bench.status
    assert gauge(bench, "error_budget_ratio") is None
