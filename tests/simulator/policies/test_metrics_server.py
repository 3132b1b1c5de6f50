import numpy as np

from infadapter_simulator.policies.kubernetes.metrics_server import Container, container


def scraped(
    one: Container, until_s: float, phase_s: float = 3.0
) -> list[tuple[float, float] | None]:
    shown = []
    at_s = phase_s
    while at_s <= until_s:
        one.scrape(at_s)
        shown.append(one.window)
        at_s += 15.0
    return shown


def test_a_window_lies_between_two_readings_and_is_never_in_the_future() -> None:
    one = container(-1e6, np.random.default_rng(1))
    for at_s, window in zip(np.arange(-45.0, 600.0, 15.0), scraped(one, 599.0, -45.0), strict=True):
        if window is not None:
            from_s, to_s = window
            assert 10.0 <= to_s - from_s <= 30.0
            assert 0.0 <= at_s - to_s <= 20.0
    assert one.window is not None


def test_a_new_container_has_no_usage_until_two_scrapes_differ() -> None:
    one = Container(0.0, 0.0, np.random.default_rng(1))
    one.scrape(1.0)
    assert one.window is None
    one.scrape(31.0)
    assert one.window is not None
    assert one.window[0] == 0.0


def test_one_reading_is_enough_for_a_container_of_ten_to_fifteen_seconds() -> None:
    one = Container(started_at_s=0.0, first_read_s=12.0, rng=np.random.default_rng(1))
    one.scrape(14.0)
    assert one.window == (0.0, 12.0)


def test_a_scrape_that_finds_nothing_new_shows_what_was_shown() -> None:
    one = Container(started_at_s=-1e6, first_read_s=0.0, rng=np.random.default_rng(1))
    one.scrape(5.0)
    one.scrape(25.0)
    shown = one.window
    one.scrape(25.0)
    assert one.window == shown
