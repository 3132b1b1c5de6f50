"""Order, gaps, silence and counters of rows that are evenly spaced."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.formats.counters import rates_between

EPOCH = 1709287200
Read = Callable[..., Any]


def minutes(kept: Callable[[int], bool] = lambda i: True, rows: int = 100) -> str:
    lines = [f"{EPOCH + 60 * i},6000" for i in range(rows) if kept(i)]
    return "\n".join(["time,requests", *lines]) + "\n"


def test_silence_that_is_much_of_the_trace_is_asked_for(read: Read, asks: Read) -> None:
    counts = [50] * 300 + [0] * 600 + [50] * 300
    text = "second,requests\n" + "".join(f"{i},{count}\n" for i, count in enumerate(counts))
    sentence = asks(text)
    assert "600 of its 1,200 s in 1 silence of 10 s or more, the first at 300 s" in sentence
    assert "--trace-gaps keep if that is load of 0, or drop" in sentence
    kept, dropped = read(text, gaps="keep"), read(text, gaps="drop")
    assert (kept.seconds, kept.mean_rps) == (1200, 25)
    assert (dropped.seconds, dropped.mean_rps) == (600, 50)
    assert "dropped 600 s in 1 run" in dropped.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "time,requests\n" + "".join(f"{60 * i},{6000 * (i % 3 > 0)}\n" for i in range(30)),
        "time,rps\n" + "".join(f"{i},{50.5 * (i // 200 % 3 > 0)}\n" for i in range(1800)),
    ],
)
def test_silence_that_is_load_by_its_file_is_said(read: Read, text: str) -> None:
    assert "600 s of silence are taken as load of 0" in read(text).notes


def test_little_silence_is_dropped_and_said(read: Read) -> None:
    text = "50\n" * 500 + "0\n" * 20 + "50\n" * 500
    assert "dropped 20 s in 1 run" in read(text).notes[0]


def test_one_missing_row_is_a_gap_and_many_are_asked_for(read: Read, asks: Read) -> None:
    trace = read(minutes(lambda i: i != 50))
    assert (trace.seconds, trace.mean_rps) == (99 * 60, 100)
    assert "left out 1 gap with 60 s without data, the first at 3,000 s" in trace.notes
    text = minutes(lambda i: not 50 < i < 70)
    assert ":53: the time '2024-03-01 11:10:00 UTC' does not follow" in asks(text)
    kept = read(text, gaps="keep")
    assert (kept.seconds, kept.rates[55 * 60]) == (6000, 0)
    assert read(text, gaps="drop").seconds == 81 * 60


def test_an_empty_cell_is_a_gap(read: Read) -> None:
    text = "time,requests\n" + "".join(f"{i},{'' if i == 7 else 100}\n" for i in range(30))
    trace = read(text)
    assert (trace.seconds, trace.mean_rps) == (29, 100)
    assert "1 gap with 1 s" in trace.notes[0]


def test_newest_first_is_turned_round(read: Read) -> None:
    lines = [f"{EPOCH + 60 * i},{60 * i}" for i in reversed(range(1, 9))]
    trace = read("\n".join(["time,requests", *lines]))
    assert trace.rates[::60].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert "newest first: turned round" in trace.notes
    stamps = read("".join(f"{EPOCH - i}.5\n" for i in range(9)))
    assert (stamps.requests, stamps.notes) == (9, ("newest first: turned round",))


def test_rows_in_no_order_are_sorted_where_they_are_points_in_time(read: Read, asks: Read) -> None:
    """As CloudWatch gives them: https://github.com/boto/boto/issues/1398"""
    text = "Timestamp,RequestCount\n" + "".join(
        f"2024-03-01T10:0{i}:00Z,{6000 + 60 * i}\n" for i in (2, 0, 1, 3)
    )
    trace = read(text)
    assert trace.rates[::60].tolist() == [100, 101, 102, 103]
    assert "sorted: 1 of its rows were before the one above" in trace.notes
    assert "'Sum'" in asks(text.replace("RequestCount", "Sum"))


def test_a_time_that_comes_twice_is_refused(asks: Read) -> None:
    text = "time,requests\n" + "".join(f"{EPOCH + 60 * (i // 2)},6000\n" for i in range(30))
    assert ":3: the time '2024-03-01 10:00:00 UTC' does not come after" in asks(text)
    clocks_back = "time,requests\n" + "".join(f"2024-10-27 0{h}:00,9\n" for h in (0, 1, 2, 2, 3))
    assert ":5: " in asks(clocks_back)


def test_uneven_rows_can_be_rounded(read: Read, asks: Read) -> None:
    text = "time,requests\n" + "".join(f"{EPOCH + 60 * i + i % 2},6000\n" for i in range(30))
    assert "rounded by --trace-every SECONDS" in asks(text)
    assert read(text, every="60").mean_rps == 100
    assert read(text, every="1min").seconds == 1800


def test_numbers_at_a_given_pace_are_asked_what_they_are(read: Read, asks: Read) -> None:
    assert "--trace-values rates" in asks("6000\n" * 30, every="60")
    assert read("6000\n" * 30, every="60", values="counts").mean_rps == 100
    assert read("100\n" * 30, every="60", values="rates").seconds == 1800
    assert read("requests\n" + "6000\n" * 30, every="60").mean_rps == 100


@pytest.mark.parametrize(
    "name", ["http_requests_total", "requests", "cumulative requests", "count"]
)
def test_a_counter_is_no_load_but_its_increases_are(read: Read, asks: Read, name: str) -> None:
    text = f"timestamp,{name}\n" + "".join(
        f"{EPOCH + 15 * i},{100_000 + 1500 * i}\n" for i in range(30)
    )
    assert "as a counter: say --trace-values counter" in asks(text)
    assert read(text, values="counter").mean_rps == 100
    assert read(text, values="counts").mean_rps > 6000


def test_a_counter_in_one_column_is_told(read: Read, asks: Read) -> None:
    text = "requests\n" + "".join(f"{100_000 + 100 * i}\n" for i in range(30))
    assert "--trace-values counter" in asks(text)
    assert read(text, values="counter").mean_rps == 100


def test_a_counter_that_began_again_is_told_by_its_name(read: Read, asks: Read) -> None:
    text = "time,requests_total\n" + "".join(
        f"{EPOCH + 15 * i},{1500 * i % 20_000}\n" for i in range(30)
    )
    assert "--trace-values counter" in asks(text)
    falling = "time,requests_total\n" + "".join(f"{60 * i},{6000 + i % 5}\n" for i in range(30))
    assert "the name 'requests_total' does not say whether it is a rate" in asks(falling)
    assert read(falling, values="counts").mean_rps == pytest.approx(100, abs=0.1)


def test_a_load_that_rises_slowly_is_no_counter(read: Read) -> None:
    assert read("".join(f"{100 + i // 2}\n" for i in range(300))).peak_rps == 249
    daily = 100 + 50 * np.sin(np.linspace(0, 6, 600))
    assert read("".join(f"{int(rate)}\n" for rate in daily)).seconds == 600


def test_a_counter_tells_what_came_in_a_gap(read: Read) -> None:
    rows = [f"{EPOCH + 15 * i},{1000 * i * 15}" for i in range(100) if i not in (7, 8)]
    trace = read("\n".join(["time,requests_total", *rows]), values="counter")
    assert (trace.seconds, trace.mean_rps, trace.peak_rps) == (99 * 15, 1000, 1000)


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=30), st.sets(st.integers(1, 28)))
def test_increases_of_a_counter_are_what_it_counted(counts: list[int], missing: set[int]) -> None:
    """Whatever is missing between the first and the last, and wherever it began again."""
    counter = np.cumsum(counts).astype(float)
    places = np.array([i for i in range(len(counts)) if i not in missing or i == len(counts) - 1])
    rates = rates_between(counter[places], places, 5)
    assert len(rates) == len(counts) - 1
    assert 5 * rates.sum() == pytest.approx(sum(counts[1:]))


def test_a_counter_that_begins_again_has_counted_since() -> None:
    rates = rates_between(np.array([10.0, 30, 5, 25]), np.arange(4), 1)
    assert rates.tolist() == [20, 5, 20]
