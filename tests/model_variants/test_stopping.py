"""How long a server that was told to stop goes on answering, in virtual time."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.serving.silence import FEWEST, Arrivals
from infadapter_server.serving.stopping import LEAST_S, Stop, end_of_drain_s
from tests.model_variants.virtual_time import run_virtually

TOLD_S, DRAIN_S = 200.0, 5.0


def ended_s(arrivals_s: Iterable[float], drain_s: float = DRAIN_S, *, ready: bool = True) -> float:
    """How long after the signal it takes no more, with requests at these times from it on."""
    return run_virtually(_ended_s(arrivals_s, drain_s, ready=ready)) - TOLD_S


async def _ended_s(arrivals_s: Iterable[float], drain_s: float, *, ready: bool) -> float:
    loop, arrivals = asyncio.get_running_loop(), Arrivals()
    inference: Any = SimpleNamespace(
        ready=ready, draining=False, closed=False, clock=loop.time, arrivals=arrivals
    )
    for at_s in arrivals_s:
        loop.call_at(TOLD_S + at_s, arrivals.count, TOLD_S + at_s)
    server: Any = Server()
    loop.call_at(TOLD_S, Stop(inference, server, drain_s).begin)
    await server.told.wait()
    assert inference.closed
    assert inference.draining is ready
    return loop.time()


class Server:
    """What is told to take no more."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "should_exit":
            self.told.set()


def every(gap_s: float, from_s: float, to_s: float) -> list[float]:
    return list(np.arange(from_s, to_s, gap_s))


def about(expected_s: float) -> Any:
    return pytest.approx(expected_s, abs=0.02)


def test_a_server_that_its_router_has_left_alone_ends_a_second_after_the_signal() -> None:
    """Its pod's weights were taken first."""
    assert ended_s(every(0.05, -60, -1)) == about(LEAST_S)


def test_so_does_one_from_which_a_hook_of_its_pod_has_kept_the_signal() -> None:
    assert ended_s(every(0.5, -60, -5)) == about(LEAST_S)


def test_who_still_sends_is_answered_for_all_of_the_time_and_no_longer() -> None:
    assert ended_s(every(0.1, -60, 20)) == about(DRAIN_S)


def test_a_router_that_hears_of_it_later_has_the_server_wait_until_it_has() -> None:
    assert ended_s(every(0.05, -60, 2.3)) == about(2.35)


def test_what_comes_seldom_is_waited_for_as_long_as_ever() -> None:
    """Where nobody knows whether silence means anything."""
    assert ended_s(every(6.0, -60, -1)) == about(DRAIN_S)
    assert ended_s(every(30.0, -150, -1)) == about(DRAIN_S)


def test_what_comes_in_bursts_is_waited_for_over_the_time_between_them() -> None:
    bursts = [at_s for begin_s in range(-60, -2, 3) for at_s in every(0.01, begin_s, begin_s + 1)]
    assert ended_s(bursts) == about(max(bursts) + 2 * (3 - 0.99))
    assert ended_s([*bursts, *every(0.01, 0.5, 1.5)]) == about(DRAIN_S)


def test_of_a_server_that_was_asked_nothing_or_next_to_nothing_nothing_is_known() -> None:
    assert ended_s([]) == about(DRAIN_S)
    assert ended_s(every(0.01, -3, -3 + 0.0099 * (FEWEST - 1))) == about(DRAIN_S)


def test_a_silence_that_was_broken_long_ago_is_forgotten() -> None:
    assert ended_s([-150.0, *every(0.05, -70, -6)]) == about(LEAST_S)


def test_a_drain_of_less_than_a_second_is_as_long_as_it_is_said_to_be() -> None:
    often = every(0.05, -60, -1)
    assert ended_s(often, drain_s=0.3) == about(0.3)
    assert ended_s(often, drain_s=0) == about(0)


def test_who_is_not_ready_yet_is_used_by_nobody_and_ends_at_once() -> None:
    assert ended_s([], ready=False) == about(0)


@given(
    gaps_s=st.lists(st.floats(0.0, 100.0), max_size=40),
    silent_s=st.floats(0.0, 100.0),
    drain_s=st.floats(0.0, 60.0),
)
def test_no_drain_is_longer_than_it_is_said_to_be_and_none_ends_in_a_usual_silence(
    gaps_s: list[float], silent_s: float, drain_s: float
) -> None:
    arrivals, now_s = Arrivals(), 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        arrivals.count(now_s)
    told_s = now_s + silent_s
    end_s = end_of_drain_s(told_s, arrivals, drain_s)
    assert told_s + min(LEAST_S, drain_s) <= end_s <= told_s + drain_s
    if len(gaps_s) > 1:
        assert end_s >= min(told_s + drain_s, now_s + gaps_s[-1])
