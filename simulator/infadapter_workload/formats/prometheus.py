"""The answer of Prometheus to a range query: requests per second, as JSON."""

import json
from array import array
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

from infadapter_workload.formats.numbers import per_second_trace, spread
from infadapter_workload.formats.stream import Stream, shown
from infadapter_workload.trace import MAX_RPS, MAX_SECONDS, Trace, TraceError


def read_answer(stream: Stream, option: str = "") -> Trace:
    """
    The sum of all series; each value holds until the next. The query must give requests per second.

    Raises TraceError for a step at which no series has a value: no data is not zero.
    """
    sums: dict[Decimal, float] = {}
    for time, value in _samples(stream):
        sums[time] = sums.get(time, 0.0) + value
    if not sums:
        raise stream.error("holds no samples")
    times = sorted(sums)
    step_s = _step_s(stream, times)
    rates = array("d", (sums[time] for time in times))
    if max(rates) > MAX_RPS or len(rates) * step_s > MAX_SECONDS:
        raise stream.error(f"has rates above {MAX_RPS:,.0f} or is longer than {MAX_SECONDS:,} s")
    if step_s == 1:
        return per_second_trace(stream.name, rates)
    return spread(stream.name, rates, step_s, "rates")


def _samples(stream: Stream) -> Iterator[tuple[Decimal, float]]:
    for series in _matrix(stream):
        try:
            for time, text in series["values"]:
                yield _time(stream, time), _value(stream, time, text)
        except TraceError:
            raise
        except (TypeError, KeyError, ValueError) as error:
            raise stream.error("has a series without pairs of time and value") from error


def _matrix(stream: Stream) -> list[Any]:
    answer = _parsed(stream)
    if not isinstance(answer, dict):
        raise stream.error("is no answer of Prometheus")
    if answer.get("status") == "error":
        raise stream.error(f"is an error of Prometheus, {shown(str(answer.get('error')))}")
    data = answer.get("data", answer)  # some tools keep this part only
    kind = data.get("resultType") if isinstance(data, dict) else None
    if kind != "matrix" or not isinstance(data.get("result"), list):
        raise stream.error("is no answer of Prometheus to a range query, which is a matrix")
    result: list[Any] = data["result"]
    return result


def _parsed(stream: Stream) -> Any:
    content = stream.content()
    try:
        return json.loads(content, parse_float=Decimal, parse_int=Decimal)
    except json.JSONDecodeError as error:
        raise TraceError(f"{stream.path}:{error.lineno}: {error.msg} in the JSON.") from error
    except (UnicodeDecodeError, RecursionError, ValueError, ArithmeticError) as error:
        raise stream.error("is no JSON that can be read") from error


def _time(stream: Stream, time: Any) -> Decimal:
    if not isinstance(time, Decimal) or not abs(time) < Decimal(10**11):
        raise stream.error(f"has {shown(str(time))} in place of a time")
    return time


def _value(stream: Stream, time: Decimal, text: Any) -> float:
    value = float(text)
    if not 0 <= value <= MAX_RPS:
        raise stream.error(
            f"has {shown(str(text))} at the time {time}, which is no number of requests per second"
        )
    return value


def _step_s(stream: Stream, times: list[Decimal]) -> int:
    """The step of the query, which every sample must keep."""
    if len(times) == 1:
        return 1
    step = times[1] - times[0]
    if step % 1:
        raise stream.error(f"has a step of {step} s, which is no whole number of seconds")
    for earlier, later in pairwise(times):
        if later - earlier != step:
            raise stream.error(f"has no sample at the time {earlier + step}")
    return int(step)
