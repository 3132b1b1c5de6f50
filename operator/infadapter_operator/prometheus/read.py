"""What Prometheus answers, read: samples of a series, and what it tells of pods by name. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infadapter_operator.domain.load import Delivered, InvalidData, QueryFailed, Sample
from infadapter_operator.prometheus.queries import ACCURACY, ARRIVED, FAILED, MISSED, WHAT

FAILING_SHARE = 0.1
"""Of what was sent to a pod; a client's odd inputs are fewer."""


def samples_of(answer: object) -> tuple[Sample, ...]:
    """
    The samples of a matrix of one series or none, without those that are no rate: a moment of
    NaN would otherwise stop all planning for as long as it is in the window.

    Raises QueryFailed, and InvalidData where the latest is no rate: then the load is not known.
    """
    samples = all_samples_of(answer)
    if samples and not is_rate(samples[-1]):
        last = samples[-1]
        raise InvalidData(f"at {last.at_s:.0f} the query gave {last.rps}, which is no rate")
    return tuple(filter(is_rate, samples))


def all_samples_of(answer: object) -> tuple[Sample, ...]:
    """Those that are no rate among them. Raises QueryFailed and InvalidData."""
    if not isinstance(answer, list):
        raise QueryFailed("Prometheus's answer is no list of series")
    if not answer:
        return ()
    if len(answer) > 1:
        raise InvalidData("the query gives several series; write sum(…) around it")
    try:
        values = answer[0]["values"]
        return tuple(Sample(float(at_s), float(rps)) for at_s, rps in values)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise QueryFailed("Prometheus's answer is no series of numbers") from None


def is_rate(sample: Sample) -> bool:
    return math.isfinite(sample.at_s) and 0 <= sample.rps < math.inf


def rates_of(vector: object) -> Mapping[str, float]:
    """By pod name; what is odd is left out."""
    named = (
        {**series, "metric": {**series["metric"], WHAT: ARRIVED}}
        for series in (vector if isinstance(vector, list) else [])
        if isinstance(series, dict) and isinstance(series.get("metric"), dict)
    )
    return {pod: rps for (pod, _), rps in _rates(named)}


def delivered_of(answer: object, over_s: float) -> Mapping[str, Delivered]:
    """
    By pod name, of a vector as `delivered_query` asks for. Pods of which it lacks a half, or says
    something odd, are left out, and those that fail: an error is answered at once, and says nothing
    of what a pod can do. What is missed counts later than it arrived, so it may be more.
    """
    rates = dict(_rates(answer if isinstance(answer, list) else []))
    return {
        pod: Delivered(
            arrived_rps,
            min(arrived_rps, rates[pod, MISSED]),
            over_s,
            _fraction(rates.get((pod, ACCURACY))),
        )
        for (pod, what), arrived_rps in rates.items()
        if what == ARRIVED
        and (pod, MISSED) in rates
        and rates.get((pod, FAILED), 0.0) <= FAILING_SHARE * arrived_rps
    }


def _fraction(value: float | None) -> float | None:
    return value if value is not None and value <= 1 else None


def _rates(vector: Iterable[Any]) -> Iterator[tuple[tuple[str, str], float]]:
    for series in vector:
        try:
            pod, what = series["metric"]["pod"], series["metric"][WHAT]
            _, rps = series["value"]
            rate_rps = float(rps)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if isinstance(pod, str) and isinstance(what, str) and 0 <= rate_rps < math.inf:
            yield (pod, what), rate_rps
