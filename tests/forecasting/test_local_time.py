from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_forecasting import LocalTime, UnknownZone, is_zone, local_time
from infadapter_forecasting.local_time import DAY_S
from tests.deep import drawn

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # had summer time until 2019
    "Asia/Kolkata",  # half an hour off, without summer time
    "Africa/Casablanca",  # changes around Ramadan
    "Australia/Lord_Howe",  # changes by half an hour
    "Antarctica/Troll",  # changes by two hours
]
SINCE_S = int(datetime(2024, 1, 1).timestamp())


@settings(max_examples=drawn(150))
@given(
    zone=st.sampled_from(ZONES),
    at_s=st.integers(SINCE_S, SINCE_S + 4 * 366 * DAY_S),
    days=st.sampled_from([1, 7]),
)
def test_a_season_ago_is_what_the_standard_library_says_of_the_same_wall_clock(
    zone: str, at_s: int, days: int
) -> None:
    clocks = local_time(zone, at_s - 9 * DAY_S, at_s + DAY_S)
    shown = datetime.fromtimestamp(at_s, ZoneInfo(zone)).replace(fold=0) - timedelta(days=days)
    assert clocks.season_ago(np.array([at_s]), days * DAY_S)[0] == shown.timestamp()


@given(at_s=st.integers(0, 2**33), season_s=st.integers(1, 7 * DAY_S))
def test_where_clocks_never_change_a_season_is_its_seconds(at_s: int, season_s: int) -> None:
    for clocks in (LocalTime(), LocalTime(offsets_s=(19_800,))):
        assert clocks.season_ago(np.array([at_s]), season_s)[0] == at_s - season_s


def test_the_changes_of_a_year_to_the_second() -> None:
    year = [int(datetime(year, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()) for year in (2026, 2027)]
    found = local_time("Europe/Berlin", *year)
    told = [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)]  # by UTC
    assert found.changes_s == tuple(
        int(at.replace(tzinfo=ZoneInfo("UTC")).timestamp()) for at in told
    )
    assert found.offsets_s == (3_600, 7_200, 3_600)
    assert local_time("Australia/Lord_Howe", *year).offsets_s == (39_600, 37_800, 39_600)
    assert local_time("Asia/Tokyo", *year) == LocalTime(offsets_s=(32_400,))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/UTC", "Europe", "a\0b"])
def test_what_is_no_zone_is_refused_with_an_example(name: str) -> None:
    assert not is_zone(name)
    with pytest.raises(UnknownZone, match=r"no time zone of the IANA .* such as Europe/Berlin"):
        local_time(name, 0, DAY_S)
