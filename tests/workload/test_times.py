"""How times are written: by their name's unit, or by their size where that leaves no doubt."""

from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[..., Any]

MILLISECONDS = "timestamp_ms,input\n" + "".join(f"{50.0 * i},5\n" for i in range(200))


def test_a_unit_in_the_name_is_obeyed(read: Read, asks: Read) -> None:
    assert read(MILLISECONDS, "timestamps:timestamp_ms").mean_rps == 20
    assert "--trace-format timestamps" in asks(MILLISECONDS)
    for name, factor in (("time (us)", 1000), ("t_ns timestamp_ns", 1_000_000), ("ts_usec", 1000)):
        text = f"{name},size\n" + "".join(f"{50 * factor * i},5\n" for i in range(200))
        assert read(text, "timestamps").mean_rps == 20


def test_a_name_whose_unit_cannot_be_is_asked_for(read: Read, asks: Read) -> None:
    """nginx names seconds with a fraction `msec`."""
    nginx = "".join(f'{{"msec":"{1709287200 + i / 10:.3f}","status":200}}\n' for i in range(100))
    assert read(nginx).mean_rps == 10
    whole = "timestamp_ms,size\n" + "".join(f"{1709287200 + i * i},1\n" for i in range(9))
    assert "say --trace-unit s or ms" in asks(whole)
    assert read(whole, "timestamps", unit="s").seconds == 65


def test_a_unit_can_be_given(read: Read) -> None:
    text = MILLISECONDS.replace("timestamp_ms", "timestamp")
    assert read(text, "timestamps", unit="ms").mean_rps == 20
    assert read(text, "timestamps").mean_rps == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("first", [600_000_000, 1_500_120_000_000, 5_612_000_000])
def test_microseconds_from_a_start_are_not_taken_for_dates(
    read: Read, asks: Read, first: int
) -> None:
    """
    Google's cluster traces: of 2011 from 600 s on, of 2019 as in
    https://github.com/google/cluster-data/issues/22
    """
    text = "time,type\n" + "".join(f"{first + 1_000_000 * i},1\n" for i in range(200))
    assert "say its unit with --trace-unit ns, us, ms or s" in asks(text)
    assert read(text, "timestamps", unit="us").mean_rps == 1


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("s", "894000000"),
        ("s", "1709287200"),
        ("ms", "1709287200123"),
        ("us", "1709287200123456"),
        ("ns", "1709287200123456789"),
    ],
)
def test_the_size_of_a_time_since_1970_says_its_unit(read: Read, unit: str, text: str) -> None:
    """The first is of the World Cup of 1998, whose log is much replayed."""
    trace = read("timestamp,size\n" + f"{text},1\n" * 40)
    assert (trace.seconds, trace.requests) == (1, 40)
    assert f"{unit if unit != 's' else 'seconds'} since 1970" in trace.form


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("hour,requests\n" + "".join(f"20160101{i:02},360000\n" for i in range(24)), 86_400),
        ("date,requests\n" + "".join(f"201601{i:02},8640000\n" for i in range(1, 25)), 24 * 86_400),
        ("date,requests\n" + "".join(f"2024-01-{i:02},8640000\n" for i in range(1, 32)), 2_678_400),
        ("minute,requests\n" + "".join(f"{i},6000\n" for i in range(24)), 1440),
        ("minute,requests\n" + "".join(f"{60 * i},6000\n" for i in range(24)), 1440),
        ("hour,requests\n" + "".join(f"{i},360000\n" for i in range(24)), 86_400),
        ("day,requests\n" + "".join(f"{i},8640000\n" for i in range(9)), 9 * 86_400),
        ("time,requests\n" + "".join(f"10:{i:02},6000\n" for i in range(24)), 1440),
        ("time,requests\n" + "".join(f"2024-03-01 10:{i:02},6000\n" for i in range(24)), 1440),
        (
            "time,requests\n" + "".join(f"2024-03-01T10:{i:02}+05:30,6000\n" for i in range(24)),
            1440,
        ),
        ("time,requests\n" + "".join(f"202403011{i:01}00,360000\n" for i in range(9)), 9 * 3600),
    ],
)
def test_rows_by_the_minute_hour_and_day_are_divided(read: Read, text: str, seconds: int) -> None:
    trace = read(text)
    assert (trace.seconds, trace.mean_rps) == (seconds, 100)


def test_hours_written_as_one_number_without_a_name_are_asked_for(asks: Read) -> None:
    text = "".join(f"20160101{i:02},360000\n" for i in range(24))
    assert "a number every 3600 s, and no column name says" in asks(text)


def test_a_day_or_a_month_first_is_asked_for_where_both_can_be(read: Read, asks: Read) -> None:
    sure = "time,rps\n" + "".join(f"3/14/2024 {1 + i}:00 PM,100\n" for i in range(9))
    assert "2024-03-14 13:00:00" in read(sure).form
    unsure = sure.replace("3/14", "3/4")
    assert "--trace-unit d/m/y or m/d/y" in asks(unsure)
    assert "2024-04-03" in read(unsure, unit="d/m/y").form
    assert "2024-03-04" in read(unsure, unit="m/d/y").form
    assert "2024-04-03" in read(unsure.replace("3/4/", "3.4.")).form


def test_times_of_requests_from_a_start_are_no_rates(read: Read, asks: Read) -> None:
    """Arrival times, one a line, as load generators write them, were read as tiny rates."""
    text = "".join(f"{0.013 * i:.3f}\n" for i in range(1, 100))
    assert "--trace-format timestamps" in asks(text)
    assert read(text, "timestamps").requests == 99


def test_seconds_that_requests_share_are_no_steps(read: Read, asks: Read) -> None:
    """BurstGPT's: https://github.com/HPMLL/BurstGPT/issues/2"""
    text = (
        "Timestamp\tModel\tRequest tokens\n" + "862919\tChatGPT\t266\n" * 4 + "862921\tGPT-4\t9\n"
    )
    assert "--trace-format timestamps if a row is a request" in asks(text)
    assert read(text, "timestamps").rates.tolist() == [4, 0, 1]


def test_a_number_in_json_keeps_all_of_its_digits(read: Read) -> None:
    lines = "".join(f'{{"ts":1709287200.{i}23456789,"status":200}}\n' for i in range(10))
    arrivals_s = read(lines).arrivals_s
    assert arrivals_s is not None
    assert [round(at_s * 1e9) for at_s in arrivals_s] == [i * 10**8 + 23456789 for i in range(10)]
    assert read('{"ts":1.7092872005e9,"status":200}\n' * 2).requests == 2
