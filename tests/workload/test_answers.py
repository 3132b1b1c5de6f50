"""Answers of Prometheus and its kin to range queries."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[..., Any]

START = 1_700_000_000


def answer(*series: tuple[dict[str, str], list[list[Any]]], **beside: Any) -> str:
    result = [{"metric": labels, "values": values} for labels, values in series]
    return json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": result}, **beside}
    )


def values(rate: Callable[[int], float], samples: int = 30, step_s: int = 15) -> list[list[Any]]:
    return [[START + step_s * i, str(rate(i))] for i in range(samples)]


RISING = values(lambda i: 41_250 + 1500 * i)
STEADY = values(lambda i: 100)


@pytest.mark.parametrize("labels", [{"__name__": "http_requests_total"}, {}, {"pod": "a"}])
def test_a_counter_itself_is_refused_and_its_increases_can_be_read(
    read: Read, asks: Read, labels: dict[str, str]
) -> None:
    text = answer((labels, RISING))
    assert "counter: query sum(rate(" in asks(text)
    assert read(text, values="counter").mean_rps == 100


@pytest.mark.parametrize("name", ["request_seconds_count", "up_bucket", "bytes_sum", "x_created"])
def test_counters_are_known_by_their_names(asks: Read, name: str) -> None:
    assert f"is {name} itself, which its name says is a counter" in asks(
        answer(({"__name__": name}, STEADY))
    )


@pytest.mark.parametrize("label", ["le", "quantile", "vmrange"])
def test_parts_of_a_histogram_are_not_summed(asks: Read, label: str) -> None:
    """
    VictoriaMetrics has its own: https://github.com/VictoriaMetrics/metrics/issues/8,
    https://github.com/VictoriaMetrics/metrics/issues/44
    """
    text = answer(({label: "0.5"}, STEADY), ({label: "1"}, STEADY))
    assert f"a series for each {label!r}" in asks(text)


def test_what_is_said_beside_the_data_is_a_note(read: Read) -> None:
    """VictoriaMetrics says it so: https://github.com/VictoriaMetrics/VictoriaMetrics/issues/1148"""
    text = answer(({}, STEADY), warnings=["No StoreAPIs matched"], infos=["a hint"], isPartial=True)
    notes = read(text).notes
    assert "the answer came with a warning: No StoreAPIs matched" in notes
    assert "the answer came with a hint: a hint" in notes
    assert "the answer is partial, as its store says" in notes


def test_one_missing_step_of_a_week_is_a_gap(read: Read) -> None:
    week = values(lambda i: 100 + i % 7, samples=10_080, step_s=60)
    del week[777]
    trace = read(answer(({}, week)))
    assert trace.seconds == 7 * 86_400 - 60
    assert "left out 1 gap with 60 s without data, the first at 46,620 s" in trace.notes


def test_many_missing_steps_are_asked_for(read: Read, asks: Read) -> None:
    text = answer(({}, STEADY[:10] + STEADY[20:]))
    assert f"no sample at the time {START + 150}, and 10 of 30 are missing" in asks(text)
    assert read(text, gaps="drop").mean_rps == 100


def test_a_series_with_a_hole_is_said(read: Read) -> None:
    trace = read(answer(({"pod": "a"}, STEADY), ({"pod": "b"}, STEADY[:10] + STEADY[12:])))
    assert any("2 values are missing within single series" in note for note in trace.notes)


def test_what_promtool_writes_is_read(read: Read) -> None:
    assert read(json.dumps([{"metric": {}, "values": STEADY}])).mean_rps == 100


def test_rates_that_rise_are_read(read: Read) -> None:
    assert read(answer(({}, values(lambda i: 100 + i)))).mean_rps == 114.5


@pytest.mark.parametrize("bad", ["NaN", "+Inf", "-0.001"])
def test_few_bad_samples_are_left_out_and_many_are_refused(
    read: Read, asks: Read, bad: str
) -> None:
    """
    0 divided by 0: https://github.com/kedacore/keda/issues/7475,
    https://github.com/kedacore/keda/pull/7576
    """
    few = [[time, bad if index == 7 else "100"] for index, (time, _) in enumerate(STEADY)]
    trace = read(answer(({}, few)))
    assert trace.mean_rps == 100
    assert any(note.startswith("left out 1 value of 30") for note in trace.notes)
    many = [[time, bad if index % 2 else "100"] for index, (time, _) in enumerate(STEADY)]
    assert "15 of its 30 values that are NaN, infinite or below 0" in asks(answer(({}, many)))


@pytest.mark.parametrize(
    "label", ["prometheus_replica", "replica", "__replica__", "receive_replica"]
)
def test_copies_of_two_replicas_are_not_summed(read: Read, asks: Read, label: str) -> None:
    """
    https://github.com/kubernetes-sigs/kubernetes-mixin/issues/680,
    https://github.com/prometheus-operator/prometheus-operator/issues/5274,
    https://github.com/thanos-community/helm-charts/issues/105
    """
    copies = [({"pod": "x", label: name}, values(lambda i: 100 + i % 3)) for name in ("a", "b")]
    assert f"query sum(max without ({label}) (" in asks(answer(*copies))
    assert read(answer(*copies), values="rates").mean_rps == pytest.approx(202)
    apart = ({label: "0"}, STEADY), ({label: "1"}, values(lambda i: 40))
    assert read(answer(*apart)).mean_rps == 140
    idle = [({"pod": "x", label: name}, values(lambda i: 0)) for name in ("a", "b")]
    assert read(answer(*idle, ({"pod": "y"}, STEADY))).mean_rps == 100


@pytest.mark.parametrize(
    "name", ["http_requests_in_flight", "job:latency_seconds:p99", "nginx_connections_active"]
)
def test_gauges_of_something_else_are_refused_by_their_name(asks: Read, name: str) -> None:
    assert f"is {name}, whose name does not mean a number of requests" in asks(
        answer(({"__name__": name}, STEADY))
    )


def test_a_recorded_rate_is_read(read: Read) -> None:
    rule = {"__name__": "namespace_pod:http_requests:rate5m", "pod": "x"}
    assert read(answer((rule, STEADY))).mean_rps == 100


def test_a_counter_that_begins_again_is_one(asks: Read, read: Read) -> None:
    """https://github.com/prometheus/client_js/issues/364"""
    text = answer(({}, values(lambda i: (1500 * i + 7) % 15_000)))
    assert "as a counter" in asks(text)
    assert read(text, values="counter").mean_rps == pytest.approx(90, rel=0.05)
