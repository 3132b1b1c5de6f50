"""Parse Prometheus' answers to range queries into series, with their warnings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isnan, nan
from typing import Any, Protocol

from infadapter_workload.formats.stream import shown
from infadapter_workload.gaps import MOST_LEFT_OUT
from infadapter_workload.trace import TraceError


class Source(Protocol):
    """A file or a server, whose name appears in error messages."""

    @property
    def name(self) -> str: ...

    def error(self, problem: str) -> TraceError: ...


@dataclass(slots=True)
class Matrix:
    """Series with their labels, and notes on warnings and omissions."""

    series: list[tuple[Mapping[str, str], dict[Decimal, float]]]
    notes: list[str] = field(default_factory=list)


def matrix_of(source: Source, answers: Sequence[Any]) -> Matrix:
    """Merge the answers to consecutive parts of a long range into one matrix. Raises TraceError."""
    found: dict[str, tuple[Mapping[str, str], dict[Decimal, float]]] = {}
    notes: list[str] = []
    for answer in answers:
        notes += _said_beside(answer)
        for labels, samples in _series(source, answer):
            key = repr(sorted(labels.items()))
            found.setdefault(key, (labels, {}))[1].update(samples)
    notes += _without_bad(source, [samples for _, samples in found.values()])
    return Matrix([*found.values()], list(dict.fromkeys(notes)))


def _without_bad(source: Source, series: Sequence[dict[Decimal, float]]) -> list[str]:
    """
    Remove invalid values, and return a note with their number. Raises TraceError if there are more
    than gaps may be.
    """
    bad = [(samples, time) for samples in series for time in samples if isnan(samples[time])]
    if not bad:
        return []
    known, first = sum(map(len, series)), min(time for _, time in bad)
    what = "NaN, infinite or below 0, the first at the time"
    if len(bad) > MOST_LEFT_OUT * known:
        raise source.error(
            f"has {len(bad):,} of its {known:,} values that are {what} {first}: no numbers of "
            "requests per second"
        )
    for samples, time in bad:
        del samples[time]
    values = "value" if len(bad) == 1 else "values"
    return [f"left out {len(bad):,} {values} of {known:,}: {what} {first}"]


def _said_beside(answer: Any) -> list[str]:
    if not isinstance(answer, dict):
        return []
    said = [f"the answer came with a warning: {each}" for each in _texts(answer.get("warnings"))]
    said += [f"the answer came with a hint: {each}" for each in _texts(answer.get("infos"))]
    if answer.get("isPartial") is True:
        said.append("the answer is partial, as its store says")
    return said


def _texts(found: Any) -> list[str]:
    return [str(each)[:200].replace("\n", " ") for each in found] if isinstance(found, list) else []


def _series(
    source: Source, answer: Any
) -> Iterator[tuple[Mapping[str, str], dict[Decimal, float]]]:
    for series in _result(source, answer):
        try:
            labels = {str(key): str(value) for key, value in series.get("metric", {}).items()}
            yield (
                labels,
                {_time(source, time): _value(text) for time, text in series["values"]},
            )
        except TraceError:
            raise
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise source.error("has a series without pairs of time and value") from error


def _result(source: Source, answer: Any) -> list[Any]:
    if isinstance(answer, list) and answer and all(_is_series(each) for each in answer):
        return answer  # promtool's output
    if not isinstance(answer, dict):
        raise source.error("is no answer of Prometheus")
    if answer.get("status") == "error":
        raise source.error(f"is an error of Prometheus, {shown(str(answer.get('error')))}")
    data = answer.get("data", answer)  # some tools save only this part
    kind = data.get("resultType") if isinstance(data, dict) else None
    if kind != "matrix" or not isinstance(data.get("result"), list):
        raise source.error("is no answer of Prometheus to a range query, which is a matrix")
    result: list[Any] = data["result"]
    return result


def _is_series(found: Any) -> bool:
    return isinstance(found, dict) and "metric" in found and "values" in found


def _time(source: Source, time: Any) -> Decimal:
    if not isinstance(time, Decimal) or not abs(time) < Decimal(10**11):
        raise source.error(f"has {shown(str(time))} in place of a time")
    return time


def _value(text: Any) -> float:
    """
    Parse a value; NaN for what is not a number of requests per second, such as 0 divided by 0.
    """
    value = float(text)
    return value if 0 <= value <= 1e18 else nan
