"""Dates and times of a day as spreadsheets, browsers and mail write them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

Read = Callable[..., Any]
BEGAN = datetime(2024, 3, 20, 10, tzinfo=UTC)


def table(form: str) -> str:
    times = [(BEGAN + timedelta(minutes=i)).strftime(form) for i in range(60)]
    return "Time;rps\n" + "\n".join(f'"{time}";{100 + i % 7}' for i, time in enumerate(times))


@pytest.mark.parametrize(
    "form",
    [
        *("%b %d, %Y, %I:%M:%S %p", "%b %d, %Y @ %H:%M:%S.000", "%B %d, %Y %I:%M %p"),
        *("%d %b %Y %H:%M:%S", "%d-%b-%Y %H:%M", "%a, %d %b %Y %H:%M:%S GMT"),
        *("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S UTC %Y"),
        "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)",
        *("%m/%d/%Y, %I:%M:%S\u202f%p", "%m/%d/%Y %I:%M:%S.000000000 %p", "%m/%d/%y %H:%M"),
        *("%d.%m.%y %H:%M", "%d.%m.%Y %H.%M.%S", "%d.%m.%Y klo %H.%M.%S", "%d-%m-%Y %H:%M:%S"),
        *("%Y. %m. %d. %H:%M:%S", "%d/%m/%Y %I:%M:%S a. m."),
    ],
)
def test_a_date_is_read_as_it_is_written(read: Read, form: str) -> None:
    """
    A narrow blank before AM: https://github.com/date-fns/date-fns/issues/3348 and
    https://github.com/python-babel/babel/issues/1012; nanoseconds before it:
    https://github.com/influxdata/chronograf/issues/2271; years of two digits:
    https://github.com/SheetJS/ssf/issues/22; one place for a month:
    https://github.com/araddon/dateparse/pull/156
    """
    trace = read(table(form))
    assert (trace.seconds, trace.began_s) == (3600, BEGAN.timestamp())
    assert trace.mean_rps == pytest.approx(102.9, rel=0.01)


def test_months_and_days_of_one_place_are_read(read: Read) -> None:
    text = "\n".join(f"2024/3/1 {10 + i}:00:00,360000" for i in range(12))
    assert read(f"Time,requests\n{text}").mean_rps == 100


def test_two_digits_may_be_a_day_or_a_year(asks: Read) -> None:
    rows = "\n".join(f"24/03/15 10:{i},6000" for i in range(10, 40))
    assert "may begin with a day or a year: say --trace-unit d/m/y" in asks(
        f"Time,requests\n{rows}"
    )


def test_times_of_a_day_go_on_over_midnight(read: Read) -> None:
    """
    https://github.com/greearb/lanforge-scripts/pull/178,
    https://github.com/kubernetes-sigs/agent-sandbox/pull/1204
    """
    late = datetime(2024, 3, 1, 23, 30)
    rows = [f"{late + timedelta(minutes=i):%H:%M},6000" for i in range(60)]
    assert read("Time,requests\n" + "\n".join(rows)).seconds == 3600
    late += timedelta(minutes=29)
    requests = [f"{late + timedelta(seconds=i // 20):%H:%M:%S},x" for i in range(2400)]
    trace = read("time,user\n" + "\n".join(requests), "timestamps")
    assert (trace.seconds, trace.mean_rps) == (120, 20)


def test_times_of_a_day_go_back_over_midnight_where_a_line_is_late_or_the_newest_is_first(
    read: Read,
) -> None:
    begin = datetime(2024, 3, 1, 23, 59, 30)
    times = [f"{begin + timedelta(seconds=i):%H:%M:%S}" for i in range(60)]
    late = "\n".join(
        ["time,user", *(f"{time},x" for time in [*times[:40], times[25], *times[40:]])]
    )
    trace = read(late, "timestamps")
    assert (trace.seconds, trace.requests) == (60, 61)
    newest = "\n".join(["time,requests", *(f"{time},5" for time in reversed(times))])
    assert (read(newest).seconds, read(newest).notes) == (60, ("newest first: turned round",))


@pytest.mark.parametrize(("name", "step"), [("arrival_ms", 50), ("time_us", 50_000)])
def test_a_column_of_times_by_itself_is_read_where_its_name_has_a_unit(
    read: Read, name: str, step: int
) -> None:
    assert read(f"{name}\n" + "\n".join(str(step * i) for i in range(1200))).mean_rps == 20
