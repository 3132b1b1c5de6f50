"""Several Prometheus replicas behind one address, answering in turn, in virtual time."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_api_client import PrometheusConnect

from infadapter_operator.domain.load import LoadError, Sample, StaleData
from infadapter_operator.prometheus.client import PrometheusLoad
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.prometheus.queries import Servers, counted_within_s, fresh_for_s
from infadapter_operator.prometheus.replicas import beside
from tests.operator.kube.bench import START_S, Bench, service

SCRAPE_S = 1.0
SETTLE_S = int(counted_within_s(SCRAPE_S))
SERVERS = Servers("vision", frozenset({"r18"}), SCRAPE_S, 0.75)


@dataclass
class Replica:
    """A replica that scrapes two routers and discovers the second one later."""

    began_s: float = -1e12
    finds_all_after_s: float = 5.0
    share: float = 1.0  # of the load that it ever counts
    silent_s: tuple[float, float] = (0.0, 0.0)  # while it is down

    def rps(self, at_s: float, load_rps: float) -> float | None:
        age_s = at_s - max(self.began_s, self.silent_s[1] if at_s >= self.silent_s[1] else 0.0)
        if at_s < self.began_s + 2 or self.silent_s[0] <= at_s < self.silent_s[1] + 2:
            return None
        return self.share * load_rps * (1.0 if age_s >= self.finds_all_after_s else 0.5)


@dataclass
class InTurn:
    """The address behind which the replicas answer in turn."""

    replicas: list[Replica]
    load_rps: float = 100.0
    burst_s: float = float("inf")  # when the load triples
    turn: Iterator[int] = field(default_factory=itertools.count)

    def custom_query_range(self, query: str, start: Any, end: Any, step: str, **_: Any) -> Any:
        if "time_bucket" in query:
            return []
        replica = self.replicas[next(self.turn) % len(self.replicas)]
        seconds = range(round(start.timestamp()), round(end.timestamp()) + 1, int(step))
        told = ((at_s, replica.rps(at_s, self._load_rps(at_s))) for at_s in seconds)
        values = [[at_s, str(rps)] for at_s, rps in told if rps is not None]
        return [{"values": values}] if values else []

    def custom_query(self, *_: Any, **__: Any) -> Any:
        return []

    def _load_rps(self, at_s: float) -> float:
        return self.load_rps * (3 if at_s >= self.burst_s else 1)


async def looks(answers: InTurn, seconds: int, window_s: float = 200.0) -> list[str | float]:
    """Return each second's last rate or error, and assert that older rates never change."""
    connection = cast(PrometheusConnect, answers)
    load = PrometheusLoad(Prometheus(connection, 5.0), "q", SERVERS)
    found: list[str | float] = []
    for second in range(seconds):
        try:
            history = await load.history(window_s, START_S + second)
        except LoadError as error:
            found.append(error.reason)
        else:
            found.append(history.samples[-1].rps)
            rates = {sample.rps for sample in history.samples if sample.at_s < answers.burst_s}
            assert rates == {answers.load_rps}
            assert len(history.samples) >= window_s - 3
    return found


async def test_a_young_replica_in_turn_with_an_old_one_changes_nothing() -> None:
    """
    Elsewhere each refresh differs: https://github.com/prometheus-operator/prometheus-operator/issues/2203,
    https://github.com/prometheus-operator/prometheus-operator/pull/113
    """
    answers = InTurn([Replica(), Replica(began_s=START_S + 5)])
    assert await looks(answers, 400) == [100.0] * 400


async def test_a_replica_that_was_away_in_turn_with_others_changes_nothing() -> None:
    """
    After a rolling restart each replica has a gap at another time:
    https://github.com/prometheus/prometheus/issues/18073,
    https://github.com/deckhouse/deckhouse/pull/11694
    """
    away = [Replica(), Replica(silent_s=(START_S - 90, START_S - 40))]
    assert await looks(InTurn(away), 400) == [100.0] * 400


async def test_a_replica_that_reaches_only_half_is_not_believed_beside_one_that_reaches_all() -> (
    None
):
    """https://github.com/prometheus-operator/kube-prometheus/issues/2013"""
    answers = InTurn([Replica(), Replica(share=0.5)])
    assert await looks(answers, 400) == [100.0] * 400


async def test_a_burst_is_seen_while_a_young_replica_answers_in_turn() -> None:
    answers = InTurn([Replica(), Replica(began_s=START_S + 5)], burst_s=START_S + 20)
    found = await looks(answers, 60)
    assert found[:20] == [100.0] * 20
    assert found[22:] == [300.0] * 38


async def test_the_last_plan_is_held_while_there_is_only_a_young_one_and_no_longer() -> None:
    """A Prometheus without a persistent disk restarts empty and discovers pods one by one."""
    answers = InTurn([Replica()])
    load = PrometheusLoad(Prometheus(cast(PrometheusConnect, answers), 5.0), "q", SERVERS)
    await load.history(200.0, START_S)
    answers.replicas = [Replica(began_s=START_S + 1)]
    held = 0
    for second in range(1, 60):
        try:
            history = await load.history(200.0, START_S + second)
        except StaleData:
            held += 1
        else:
            assert {sample.rps for sample in history.samples} == {100.0}
    assert SETTLE_S - 2 <= held <= SETTLE_S + 3


async def test_what_is_left_is_believed_when_the_one_that_reached_more_has_gone() -> None:
    answers = InTurn([Replica()])
    load = PrometheusLoad(Prometheus(cast(PrometheusConnect, answers), 5.0), "q", SERVERS)
    await load.history(200.0, START_S)
    answers.replicas = [Replica(share=0.5)]
    for second in range(1, 60):
        try:
            history = await load.history(200.0, START_S + second)
        except StaleData:
            continue
        last_rps = history.samples[-1].rps
    assert last_rps == 50.0


TIMES = st.sets(st.integers(0, 60)).map(sorted)


@given(known=TIMES, answer=TIMES, gap_s=st.integers(0, 9), settle_s=st.integers(0, 20))
def test_an_answer_counts_but_for_a_while_after_a_silence_of_its_own(
    known: list[int], answer: list[int], gap_s: int, settle_s: int
) -> None:
    found = beside(
        [Sample(float(t), 1.0) for t in known],
        [Sample(float(t), 2.0) for t in answer],
        gap_s=gap_s,
        settle_s=settle_s,
    )
    expected = []
    for t in sorted({*known, *answer}):
        after_silence = any(
            back <= t < back + settle_s and _silence_s(known, answer, back) > gap_s
            for back in answer
        )
        if t in answer and not after_silence:
            expected.append(Sample(float(t), 2.0))
        elif t in known:
            expected.append(Sample(float(t), 1.0))
    assert list(found) == expected


def _silence_s(known: list[int], answer: list[int], back: int) -> int:
    """Return for how long before `back` the answer lacks known values, -1 if it does not."""
    before = max((t for t in answer if t < back), default=-1)
    lacking = [t for t in known if before < t < back]
    return back - lacking[0] if lacking else -1


@pytest.mark.parametrize("scrape_s", [1.0, 5.0, 15.0, 60.0])
def test_what_one_prometheus_takes_back_is_no_silence(scrape_s: float) -> None:
    """
    After a router is gone, Prometheus repeats its last value until it marks the series as stale.
    Then it no longer reports these seconds: at most as many as a sample counts as fresh.
    """
    known = [Sample(float(t), 1.0) for t in range(100)]
    taken_back = [s for s in known if not 40 <= s.at_s < 40 + fresh_for_s(scrape_s)]
    found = beside(
        known, taken_back, gap_s=fresh_for_s(scrape_s), settle_s=counted_within_s(scrape_s)
    )
    assert found == tuple(known)


# --- the loop -----------------------------------------------------------------------------------


async def test_a_steady_load_keeps_its_plan_while_a_young_replica_answers_in_turn() -> None:
    """Regression: there were 18 plan changes and 28 pods in 100 s."""
    bench = Bench(service(scaling={"intervalSeconds": 5}))
    answers = InTurn([Replica()], load_rps=20.0)
    bench.context.prometheus = Prometheus(cast(PrometheusConnect, answers), 5.0)
    await bench.turns(15)
    allocations = bench.status["plan"]["allocations"]
    answers.replicas.append(Replica(began_s=bench.now_s))
    for _ in range(50):
        await bench.turns(1)
        assert bench.status["plan"]["allocations"] == allocations
