"""The load behind a gateway, counted by pods of which some are not scraped."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_api_client import PrometheusConnect

from infadapter_operator.domain.load import History, PartialData, Sample
from infadapter_operator.domain.names import TRAFFIC_LABEL
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.prometheus.coverage import Coverage
from infadapter_operator.prometheus.queries import DISCOVERY_S
from tests.operator.kube.bench import Bench, service, variant
from tests.operator.kube.test_gateway_router import accept

SETTLE_S, KEEP_S = 12.0, 3600.0


def coverage(**weights: int) -> Coverage:
    """Return the coverage of pods that have had these weights for a long time."""
    made = Coverage(settle_s=SETTLE_S, keep_s=KEEP_S)
    made.serving(weights, -1000.0)
    return made


def told(judging: Coverage, at_s: float, rates: Mapping[str, float]) -> float:
    history = History((Sample(at_s, sum(rates.values())),))
    return judging.judged(history, rates).samples[-1].rps


def test_a_pod_that_is_no_longer_scraped_takes_no_load_with_it() -> None:
    judging = coverage(a=500, b=500)
    assert told(judging, 0.0, {"a": 20.0, "b": 20.0}) == 40.0
    assert told(judging, 1.0, {"a": 20.0}) == 40.0
    assert told(judging, 100.0, {"a": 10.0}) == 20.0  # the load falls, too


def test_one_of_many_that_is_not_counted_neither_holds_the_plan_nor_shrinks_it() -> None:
    """
    Elsewhere all scaling stopped for one pod of 70:
    https://github.com/kubernetes/kubernetes/issues/30471, or for one container of 160:
    https://github.com/kubernetes/kubernetes/pull/127193
    """
    for pods in (70, 160):
        names = [f"p{n}" for n in range(pods)]
        judging = coverage(**dict.fromkeys(names, 100))
        assert told(judging, 0.0, dict.fromkeys(names, 1.0)) == pods
        assert told(judging, 1.0, dict.fromkeys(names[1:], 0.5)) == pytest.approx(pods / 2)


def test_shares_go_by_the_weights() -> None:
    judging = coverage(small=100, large=300)
    assert told(judging, 0.0, {"small": 10.0, "large": 30.0}) == 40.0
    assert told(judging, 1.0, {"small": 8.0}) == 32.0
    assert told(judging, 2.0, {"large": 30.0}) == 40.0


def test_never_more_than_all_of_them_told_last() -> None:
    judging = coverage(a=500, b=500)
    told(judging, 0.0, {"a": 20.0, "b": 20.0})
    assert told(judging, 1.0, {"a": 30.0}) == 40.0
    assert told(judging, 2.0, {"a": 50.0}) == 50.0  # this rate was measured


def test_a_burst_is_seen_while_one_is_not_counted() -> None:
    judging = coverage(a=500, b=500)
    told(judging, 0.0, {"a": 20.0, "b": 20.0})
    assert told(judging, 1.0, {"a": 60.0}) == 60.0


def test_new_pods_that_nobody_scrapes_yet_do_not_multiply_the_demand_nor_hide_it() -> None:
    judging = coverage(a=500, b=500)
    told(judging, 0.0, {"a": 20.0, "b": 20.0})
    judging.serving(dict.fromkeys("abcd", 250), 1.0)
    assert told(judging, 2.0, {"a": 10.0, "b": 10.0}) == 40.0
    assert told(judging, 3.0, {"a": 30.0, "b": 30.0}) == 60.0
    assert told(judging, 14.0, dict.fromkeys("abcd", 20.0)) == 80.0


def test_without_a_full_measurement_nothing_counts_that_was_not_counted_before() -> None:
    """E.g. after a restart of the operator."""
    judging = Coverage(settle_s=SETTLE_S, keep_s=KEEP_S)
    assert told(judging, 0.0, {"a": 15.0}) == 15.0  # before the first pods are observed
    judging.serving({"a": 500, "b": 500}, 1.0)
    samples = tuple(Sample(float(t), 40.0 if t < 5 else 15.0) for t in range(20))
    assert judging.judged(History(samples), {"a": 15.0}).samples[-1].rps == 30.0
    few = tuple(Sample(float(t), 15.0) for t in range(20, 40))
    assert judging.judged(History(few), {"a": 15.0}).samples[-1].rps == 15.0


def test_the_load_is_not_known_where_none_of_the_pods_is_counted_that_were() -> None:
    judging = coverage(a=500, b=500)
    told(judging, 0.0, {"a": 20.0, "b": 20.0})
    judging.serving({"a": 400, "b": 400, "new": 200}, 1.0)
    with pytest.raises(PartialData, match="none of the 2 pods"):
        told(judging, 2.0, {"new": 5.0})


def test_pods_that_get_nothing_are_not_missed() -> None:
    judging = coverage(a=500)
    assert told(judging, 0.0, {"a": 20.0, "drained": 1.0}) == 21.0


def test_what_was_lacking_is_not_lacking_later() -> None:
    """Past gaps stay filled when the buffer is queried anew, as Prometheus still has them."""
    judging = coverage(a=500, b=500)
    told(judging, 9.0, {"a": 20.0, "b": 20.0})
    for second in range(10, 15):
        told(judging, float(second), {"a": 20.0})
    samples = tuple(Sample(float(t), 20.0 if 10 <= t < 15 else 40.0) for t in range(20))
    rates = {"a": 20.0, "b": 20.0}
    assert {s.rps for s in judging.judged(History(samples), rates).samples} == {40.0}


PODS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000), min_size=1)


@given(weights=PODS, silent=st.sets(st.sampled_from("abcdef")), load_rps=st.floats(0.0, 1e4))
def test_at_a_steady_load_the_demand_is_right_whoever_is_silent(
    weights: dict[str, int], silent: set[str], load_rps: float
) -> None:
    judging = coverage(**weights)
    rates = {p: load_rps * w / sum(weights.values()) for p, w in weights.items()}
    told(judging, 0.0, rates)
    rest = {pod: rate for pod, rate in rates.items() if pod not in silent}
    if rest:
        assert told(judging, 1.0, rest) == pytest.approx(load_rps)


def test_what_another_replica_tells_of_the_pods_does_not_add_to_the_sum() -> None:
    """The sum may come from a complete replica, and the rates by pod from one just started."""
    judging = coverage(a=500, b=500)
    told(judging, 0.0, {"a": 30.0, "b": 30.0})
    for rates in ({"a": 20.0}, {}):
        history = History((Sample(1.0, 40.0),))
        assert judging.judged(history, rates).samples[-1].rps == 40.0


# --- the loop -----------------------------------------------------------------------------------


class Scraped:
    """A gateway that splits the load evenly among its pods, and a Prometheus."""

    def __init__(self) -> None:
        self.rps = 30.0
        self.silent: set[str] = set()
        self.found_s: dict[str, float] = {}
        self.counted: dict[int, dict[str, float]] = {}

    def pass_second(self, at_s: float, serving: list[str]) -> None:
        for pod in serving:
            self.found_s.setdefault(pod, at_s)
        share_rps = self.rps / max(1, len(serving))
        known = (p for p in serving if at_s - self.found_s[p] >= DISCOVERY_S + 1)
        self.counted[int(at_s)] = {p: share_rps for p in known if p not in self.silent}

    def custom_query_range(self, query: str, start: Any, end: Any, step: str, **_: Any) -> Any:
        if "time_bucket" in query or "increase" in query:
            return []
        seconds = range(round(start.timestamp()), round(end.timestamp()) + 1, int(step))
        told = ((at_s, self.counted.get(at_s)) for at_s in seconds)
        values = [[at_s, str(sum(rates.values()))] for at_s, rates in told if rates]
        return [{"values": values}] if values else []

    def custom_query(self, query: str, params: dict[str, str]) -> Any:
        if not query.startswith("sum by (pod)"):
            return []
        at_s = int(float(params["time"]))
        rates = self.counted[at_s].items()
        return [{"metric": {"pod": pod}, "value": [at_s, str(rps)]} for pod, rps in rates]


def gated() -> tuple[Bench, Scraped]:
    spec = service(
        traffic={"parentRefs": [{"name": "gate"}]},
        variants=[variant("r18")],
        scaling={"intervalSeconds": 5, "scaleDownStabilizationSeconds": 15, "minReplicas": 2},
    )
    bench, scraped = Bench(spec), Scraped()
    bench.context.prometheus = Prometheus(cast(PrometheusConnect, scraped), 5.0)
    return bench, scraped


def serving(bench: Bench) -> list[str]:
    pods = (pod["metadata"] for pod in bench.api.pods())
    return [meta["name"] for meta in pods if meta["labels"].get(TRAFFIC_LABEL) == "on"]


async def turns(bench: Bench, scraped: Scraped, seconds: int) -> list[float]:
    """Run a cycle per second, and return the demand planned for in each."""
    planned = []
    for _ in range(seconds):
        scraped.pass_second(bench.now_s, serving(bench))
        await bench.loop.tick(bench.now_s)
        bench.api.settle()
        if any("httproutes" in path for path in bench.api.objects):
            accept(bench.api)
        bench.now_s += 1.0
        if plan := bench.status.get("plan"):
            planned.append(float(plan["demandRps"]))
    return planned


async def test_behind_a_gateway_a_plan_outlives_a_pod_whose_metrics_fail() -> None:
    """
    Regression: the sum over pods fell from 40 to 20 rps after 4 s for good, and so did the plan.
    Other autoscalers were asked to hold: https://github.com/kubernetes/kubernetes/issues/99394,
    https://github.com/kubernetes/kubernetes/issues/105187
    """
    bench, scraped = gated()
    await turns(bench, scraped, 40)
    pods = len(serving(bench))
    assert pods >= 2
    scraped.silent = set(serving(bench)[:1])
    planned = await turns(bench, scraped, 60)
    assert min(planned) >= 30.0
    assert max(planned) < 45.0
    assert len(serving(bench)) >= pods
    scraped.rps = 10.0  # the plan must still follow the load
    await turns(bench, scraped, 60)
    assert float(bench.status["plan"]["demandRps"]) < 20.0
