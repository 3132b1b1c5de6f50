"""Exponential back-off."""

from infadapter_profiles.backoff import backoff_s


def test_it_doubles_with_every_failure_up_to_the_longest() -> None:
    assert [backoff_s(30.0, failures, 600.0) for failures in range(1, 8)] == [
        30.0,
        60.0,
        120.0,
        240.0,
        480.0,
        600.0,
        600.0,
    ]


def test_failures_that_are_counted_for_weeks_still_have_a_back_off() -> None:
    assert backoff_s(30.0, 100_000, 600.0) == 600.0
