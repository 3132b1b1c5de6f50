"""What strangers cause is logged, and not at the pace at which they cause it."""

import logging
from dataclasses import dataclass, field

import pytest

from infadapter_server.logs import MOST, PERIOD_S, RateLimit


@dataclass
class Logged:
    """A logger with one handler, and what came through it."""

    now_s: float = 1000.0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = logging.Logger("strangers")
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]
        handler.addFilter(RateLimit(clock=lambda: self.now_s).filter)
        self.log.addHandler(handler)

    def refused(self, times: int) -> None:
        for number in range(times):
            self.log.warning("refused: %s", number)


@pytest.fixture
def logged() -> Logged:
    return Logged()


def test_a_flood_of_one_kind_is_cut_off_and_counted(logged: Logged) -> None:
    logged.refused(1000)
    assert len(logged.lines) == MOST
    assert logged.lines[0] == "refused: 0"
    assert logged.lines[-1] == "refused: 19 (more like it are left out for 60 s)"
    logged.now_s += PERIOD_S
    logged.refused(1)
    assert logged.lines[-1] == "refused: 0 (980 more like it were left out)"
    logged.refused(1)
    assert logged.lines[-1] == "refused: 0"


def test_other_kinds_are_logged_beside_a_flood(logged: Logged) -> None:
    logged.refused(1000)
    logged.log.error("the disk is full")
    assert logged.lines[-1] == "the disk is full"


def test_what_the_server_says_of_itself_is_not_limited(logged: Logged) -> None:
    for number in range(100):
        logged.log.info("%s is loaded", number)
    assert len(logged.lines) == 100


def test_who_causes_lines_at_a_slow_pace_is_logged_each_time(logged: Logged) -> None:
    for _ in range(100):
        logged.now_s += PERIOD_S / MOST + 1
        logged.refused(1)
    assert logged.lines == ["refused: 0"] * 100
