"""Log lines of failures that repeat in every cycle."""

import logging

import pytest

from infadapter_operator.recurring import AGAIN_MOST_S, CALM_S, MOST_CAUSES, Recurring


class Hands:
    """A Recurring logger with a clock that tests advance."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.now_s = 100.0
        self.status = Recurring(logging.getLogger("x"), "status not written", lambda: self.now_s)

    def fails(self, why: str, for_s: int) -> None:
        for _ in range(for_s):
            self.status.fails(why)
            self.now_s += 1

    def works(self, for_s: float) -> None:
        for _ in range(round(for_s)):
            self.status.recovers()
            self.now_s += 1


def test_what_fails_every_second_of_a_night_is_a_dozen_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Lines at 0, 1, 3, 7, 15, 31 and 63 min, then every hour. Regression: 28,800 lines."""
    hands = Hands(caplog)
    hands.fails("no answer", 8 * 3600)
    assert len(caplog.messages) == 7 + 6
    assert caplog.messages[0] == "status not written: no answer"
    assert caplog.messages[1:3] == [
        "status not written: no answer (for 60 s now)",
        "status not written: no answer (for 180 s now)",
    ]
    assert caplog.messages[-1] == f"status not written: no answer (for {3780 + 6 * 3600} s now)"
    assert AGAIN_MOST_S == 3600


def test_that_it_is_over_is_said_once_and_the_next_time_is_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hands = Hands(caplog)
    hands.works(5)
    hands.fails("no answer", 30)
    hands.works(CALM_S + 20)
    hands.fails("no answer", 2)
    assert caplog.messages == [
        "status not written: no answer",
        "status not written: it works again, after 29 s",
        "status not written: no answer",
    ]


def test_what_flickers_is_one_failure(caplog: pytest.LogCaptureFixture) -> None:
    hands = Hands(caplog)
    for _ in range(25):
        hands.fails("no answer", 1)
        hands.works(1)
    assert caplog.messages == ["status not written: no answer"]


def test_what_is_tried_rarely_and_has_not_worked_since_is_not_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hands = Hands(caplog)
    for _ in range(3):
        hands.fails("no answer", 1)
        hands.now_s += CALM_S
    assert caplog.messages == ["status not written: no answer"]


def test_another_cause_is_news_at_once_and_other_numbers_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hands = Hands(caplog)
    for port in range(40000, 40010):
        hands.fails(f"127.0.0.1:{port} does not answer", 1)
        hands.fails("403, forbidden", 1)
    assert caplog.messages == [
        "status not written: 127.0.0.1:40000 does not answer",
        "status not written: 403, forbidden",
    ]


def test_words_that_are_new_every_time_are_no_news_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hands = Hands(caplog)
    for number in range(55):
        hands.fails("x" * number, 1)
    assert len(caplog.messages) == MOST_CAUSES
