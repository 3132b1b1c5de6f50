"""Reader of Prometheus' answer to a range query: requests per second, as JSON."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

import numpy as np

from infadapter_workload.formats.counters import COUNTER_NAME, looks_like_a_counter, rates_between
from infadapter_workload.formats.json_content import parsed
from infadapter_workload.formats.matrix import Matrix, Source, matrix_of
from infadapter_workload.formats.moments import SURE_S
from infadapter_workload.formats.names import Kind, meaning_of_name
from infadapter_workload.formats.replicas import refuse_replicas
from infadapter_workload.formats.stream import Stream, shown
from infadapter_workload.gaps import MOST_LEFT_OUT, SAY
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series, began
from infadapter_workload.trace import MAX_RPS, MAX_SECONDS, Array

_SPLIT = ("le", "quantile", "vmrange")
"""Labels of parts of a histogram or summary, whose sum is not a number of requests."""

_COUNTED_IN = "query sum(rate(…[1m])) instead, or say --trace-values counter"


def read_answer(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """
    Return the sum of all series; each value holds until the next. The query must give requests per
    second.

    Raises TraceError if no series has a value at more than a few steps: no data is not zero.
    """
    content = parsed(stream)
    return series_of(stream, matrix_of(stream, [content]), options)


def series_of(source: Source, matrix: Matrix, options: ReadOptions) -> Series:
    """Return the summed series. Raises TraceError for values that cannot be requests per second."""
    if not any(samples for _, samples in matrix.series):
        raise source.error("holds no samples")
    _check_labels(source, matrix, options)
    refuse_replicas(source, matrix, options)
    times = sorted({time for _, samples in matrix.series for time in samples})
    step_s = _step_s(source, times)
    places = [int((time - times[0]) / step_s) for time in times]
    if (places[-1] + 1) * step_s > MAX_SECONDS:
        raise source.error(f"is longer than {MAX_SECONDS:,} s")
    _check_missing(source, times, places, step_s, options)
    index = dict(zip(times, places, strict=True))
    summed = _counted if options.values == "counter" else _summed
    rates = summed(source, matrix, index, step_s, options)
    if not len(rates) or np.nanmax(rates) > MAX_RPS:
        raise source.error(f"has rates above {MAX_RPS:,.0f}, or only one sample of a counter")
    notes = [*matrix.notes, *_holes(matrix, times)]
    began_s = int(times[0])
    return Series(
        name=source.name,
        form=f"an answer of Prometheus, {len(matrix.series)} series in steps of {step_s} s"
        + (f", from {began(began_s)}" if began_s > SURE_S[0] else ""),
        rates=np.repeat(rates, step_s),
        began_s=began_s if began_s > SURE_S[0] else None,
        counted=step_s == 1 and not (rates[~np.isnan(rates)] % 1).any(),
        step_s=step_s,
        notes=(
            *((f"its rates of {step_s} s are spread evenly over them",) if step_s > 1 else ()),
            *notes,
        ),
    )


def _check_missing(
    source: Source,
    times: Sequence[Decimal],
    places: Sequence[int],
    step_s: int,
    options: ReadOptions,
) -> None:
    missing = places[-1] + 1 - len(places)
    if options.gaps in ("keep", "drop") or missing <= MOST_LEFT_OUT * (places[-1] + 1):
        return
    first = next(
        earlier + step_s for earlier, later in pairwise(times) if later - earlier != step_s
    )
    raise source.error(
        f"has no sample at the time {first}, and {missing:,} of {places[-1] + 1:,} are missing: "
        f"{SAY}"
    )


def _summed(
    source: Source, matrix: Matrix, places: Mapping[Decimal, int], step_s: int, options: ReadOptions
) -> Array:
    """Return the sum of all series in each step, NaN where no series has a value."""
    sums = np.zeros(max(places.values()) + 1)
    for _, samples in matrix.series:
        values = np.array([samples[time] for time in sorted(samples)])
        if options.values is None and looks_like_a_counter(values, step_s, named=False):
            raise source.error(
                f"has values that never fall, from {values[0]:,.0f} to {values[-1]:,.0f}, as a "
                f"counter: {_COUNTED_IN}, or rates if they are"
            )
        per_s = step_s if options.values == "counts" else 1
        sums[[places[time] for time in sorted(samples)]] += values / per_s
    known = np.full(len(sums), np.nan)
    known[[*places.values()]] = sums[[*places.values()]]
    return known


def _counted(
    source: Source, matrix: Matrix, places: Mapping[Decimal, int], step_s: int, options: ReadOptions
) -> Array:
    """Return the summed increases of all series, up to the last time."""
    sums = np.zeros(max(places.values()))
    for _, samples in matrix.series:
        times = sorted(samples)
        at = np.array([places[time] for time in times])
        rates = rates_between(np.array([samples[time] for time in times]), at, step_s)
        sums[at[0] : at[0] + len(rates)] += rates
    return sums


def _check_labels(source: Source, matrix: Matrix, options: ReadOptions) -> None:
    for labels, _ in matrix.series:
        for label in _SPLIT:
            if label in labels:
                raise source.error(
                    f"has a series for each {shown(label)}, parts of a histogram or summary, not "
                    "requests: query sum(rate(…_count[1m]))"
                )
        name = labels.get("__name__", "")
        if COUNTER_NAME.search(name) and options.values is None:
            raise source.error(f"is {name} itself, which its name says is a counter: {_COUNTED_IN}")
        if name and options.values is None and meaning_of_name(name).kind is Kind.OTHER:
            raise source.error(
                f"is {name}, whose name does not mean a number of requests: query "
                "sum(rate(…[1m])) of a counter of requests, or say --trace-values rates if it is "
                "their rate"
            )


def _holes(matrix: Matrix, times: Sequence[Decimal]) -> list[str]:
    """Return a note on steps in which one series lacks a value that others have."""
    place = {time: index for index, time in enumerate(times)}
    holes = 0
    for _, samples in matrix.series:
        known = sorted(place[time] for time in samples)
        holes += sum(later - earlier - 1 for earlier, later in pairwise(known))
    if not holes or len(matrix.series) < 2:
        return []
    return [f"{holes:,} values are missing within single series: they count as 0"]


def _step_s(source: Source, times: list[Decimal]) -> int:
    """Return the step of the query, which every sample must keep; some may be missing."""
    if len(times) == 1:
        return 1
    steps = [later - earlier for earlier, later in pairwise(times)]
    step = min(steps)
    if step % 1:
        raise source.error(f"has a step of {step} s, which is no whole number of seconds")
    for earlier, found in zip(times, steps, strict=False):
        if found % step:
            raise source.error(f"has samples that are not {step} s apart at the time {earlier}")
    return int(step)
