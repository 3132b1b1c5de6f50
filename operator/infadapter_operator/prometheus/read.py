"""Parse Prometheus' answers: samples of a series, and values by pod. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infadapter_operator.domain.load import Delivered, InvalidData, QueryFailed, Sample
from infadapter_operator.prometheus.queries import ACCURACY, ARRIVED, FAILED, MISSED, WHAT

FAILING_SHARE = 0.1
"""
Share of a pod's requests that must fail for the pod to be ignored; odd inputs of clients cause
fewer.
"""


def samples_of(answer: object) -> tuple[Sample, ...]:
    """
    Return the valid samples of a matrix with at most one series.

    A single NaN would otherwise stop all planning for as long as it is in the window. Raises
    QueryFailed, and InvalidData if the latest sample is invalid, since the current load is then
    unknown.
    """
    samples = all_samples_of(answer)
    if samples and not is_rate(samples[-1]):
        last = samples[-1]
        raise InvalidData(f"at {last.at_s:.0f} the query gave {last.rps}, which is no rate")
    return tuple(filter(is_rate, samples))


def all_samples_of(answer: object) -> tuple[Sample, ...]:
    """Return all samples, invalid ones included. Raises QueryFailed and InvalidData."""
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
    """Return rates by pod name; malformed entries are left out."""
    named = (
        {**series, "metric": {**series["metric"], WHAT: ARRIVED}}
        for series in (vector if isinstance(vector, list) else [])
        if isinstance(series, dict) and isinstance(series.get("metric"), dict)
    )
    return {pod: rps for (pod, _), rps in _rates(named)}


def delivered_of(answer: object, over_s: float) -> Mapping[str, Delivered]:
    """
    Return what pods delivered, by pod name, from the vector of `delivered_query`.

    Pods with incomplete or malformed entries are left out, and pods that fail: an error is answered
    at once and tells nothing about capacity. Misses are counted later than arrivals, so they may
    exceed them.
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
