"""The workers of the end-to-end tests take turns: no cluster is needed to see that."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e.turns import (
    APART,
    BESIDE,
    LAST,
    LATE_S,
    LOAD,
    MODULES,
    ROOMY,
    TAKES,
    Turns,
    Workers,
    group_of,
    in_order,
    left_m,
)

SOON_S, LONG_S = 0.5, 10.0
"""So long nothing may happen that would happen at once; and so long something may take."""

Three = tuple[Turns, Turns, Turns]


def a_test(module: str, **marks: tuple[int, ...]) -> Any:
    """As much of a pytest item as turns look at; marks with their arguments."""
    found = {name: SimpleNamespace(args=arguments) for name, arguments in marks.items()}
    item = SimpleNamespace(
        nodeid=f"tests/e2e/{module}.py::test_it[a case]", get_closest_marker=found.get
    )
    item.session = SimpleNamespace(items=[item])
    return item


ALONE, ROOM, END = (
    a_test("test_loop_at_rest"),
    a_test("test_demand_steps", **{ROOMY: (500,)}),
    a_test("test_points", **{LAST: ()}),
)


def other(module: str = "test_chart", takes_m: int = 0, *others: Any, lasts_s: int = 0) -> Any:
    item = a_test(module, **{TAKES: (takes_m, lasts_s)})
    item.session.items += others or [ALONE]
    return item


@contextmanager
def in_thread(turns: Turns, item: Any) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Another worker's test: when it began, and how to end it."""
    began, end = threading.Event(), threading.Event()

    def play() -> None:
        with turns.of(item):
            began.set()
            end.wait(LONG_S)

    thread = threading.Thread(target=play)
    thread.start()
    yield began, end
    end.set()
    thread.join(LONG_S)
    assert not thread.is_alive()


def play(turns: Turns, *items: Any) -> None:
    for item in items:
        with turns.of(item):
            turns.leave(left_m(item))  # as from its call on


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Three]:
    all_of_them = Turns(tmp_path), Turns(tmp_path), Turns(tmp_path)
    yield all_of_them
    for each in all_of_them:
        each.end()


def test_every_module_of_the_others_is_there() -> None:
    there = {path.stem for path in (Path(__file__).parent / "e2e").glob("test_*.py")}
    for group, modules in MODULES.items():
        assert set(modules) <= there
        assert {group_of(f"tests/e2e/{name}.py::test[a::b]") for name in modules} == {group}
    assert group_of("tests/e2e/test_points.py::test_it") == LOAD


def test_each_group_has_a_worker_unless_nobody_would_install_the_operator() -> None:
    def scopes(*items: Any) -> list[str]:
        scheduler = Workers.__new__(Workers)
        scheduler.collection = [item.nodeid for item in items]
        return [scheduler._split_scope(nodeid) for nodeid in scheduler.collection]

    others = other("test_chart"), other("test_error_budget")
    assert scopes(*others, ROOM) == [BESIDE, APART, LOAD]
    assert scopes(*others) == [LOAD, LOAD]


def test_tests_of_the_others_run_as_their_modules_are_listed() -> None:
    listed = [a_test(module) for group in (BESIDE, APART) for module in MODULES[group]]
    assert in_order([ALONE, ROOM, *reversed(listed)]) == [*listed, ALONE, ROOM]


def test_nothing_runs_beside_before_a_test_with_room_nor_beside_the_next_one_without(
    workers: Three,
) -> None:
    load, beside, _ = workers
    play(load, ALONE)
    with in_thread(beside, other()) as (began, end):
        play(load, ALONE)
        assert not began.wait(SOON_S)
        play(load, ROOM)
        assert began.wait(LONG_S)
        with in_thread(load, ALONE) as (alone, _):
            assert not alone.wait(SOON_S)
            end.set()
            assert alone.wait(LONG_S)
    play(load, ALONE)
    with in_thread(beside, other()) as (began, end):
        assert not began.wait(SOON_S)
        load.end()
        assert began.wait(LONG_S)


def test_a_worker_that_ends_leaves_nothing_of_what_it_did_not_carry(workers: Three) -> None:
    load, beside, apart = workers
    play(load, ALONE)
    apart.end()
    with in_thread(beside, other()) as (began, _):
        assert not began.wait(SOON_S)
        load.end()
        assert began.wait(LONG_S)


def test_what_takes_more_than_is_left_waits_for_the_other_to_end(workers: Three) -> None:
    load, beside, apart = workers
    play(load, ROOM)
    with in_thread(beside, other(takes_m=300)) as (began, end):
        assert began.wait(LONG_S)
        with in_thread(apart, other("test_error_budget", 201)) as (second, _):
            assert not second.wait(SOON_S)
            end.set()
            assert second.wait(LONG_S)


def test_what_leaves_less_begins_when_the_others_take_no_more(workers: Three) -> None:
    load, beside, apart = workers
    play(load, ROOM)
    less = a_test("test_demand_steps", **{ROOMY: (300,)})
    with (
        in_thread(beside, other(takes_m=300)) as (first, end),
        in_thread(apart, other("test_error_budget", 200)) as (second, _),
    ):
        assert first.wait(LONG_S)
        assert second.wait(LONG_S)
        with in_thread(load, less) as (narrower, _):
            assert not narrower.wait(SOON_S)
            end.set()
            assert narrower.wait(LONG_S)


def test_what_would_keep_the_load_waiting_does_not_begin_in_what_it_leaves(workers: Three) -> None:
    load, beside, apart = workers
    play(load, ROOM)
    load.leave(500, 60)
    long, short = round(60 + LATE_S + 5), round(60 + LATE_S - 5)
    with (
        in_thread(beside, other(lasts_s=long)) as (began, _),
        in_thread(apart, other("test_error_budget", lasts_s=short)) as (second, _),
    ):
        assert second.wait(LONG_S)
        assert not began.wait(SOON_S)
        load.end()
        assert began.wait(LONG_S)


def test_what_leaves_more_does_so_when_it_is_set_up(workers: Three) -> None:
    load, beside, _ = workers
    play(load, ROOM)
    more = a_test("test_demand_steps", **{ROOMY: (600,)})
    with load.of(more), in_thread(beside, other(takes_m=600)) as (began, _):
        assert not began.wait(SOON_S)
        load.leave(left_m(more))
        assert began.wait(LONG_S)


def test_who_waits_for_the_turn_is_not_passed_by_the_next_test_beside(workers: Three) -> None:
    load, beside, _ = workers
    play(load, ROOM)
    with in_thread(beside, other()) as (began, end):
        assert began.wait(LONG_S)
        with in_thread(load, ALONE) as (alone, _):
            assert not alone.wait(SOON_S)
            end.set()
            with in_thread(beside, other()) as (again, _):
                assert alone.wait(LONG_S)
                assert not again.wait(SOON_S)
                load.end()


def test_the_last_one_begins_when_the_others_have_no_more_tests(workers: Three) -> None:
    load, beside, _ = workers
    play(load, ROOM)
    play(beside, other())
    with in_thread(load, END) as (last, _):
        assert not last.wait(SOON_S)
        play(beside, other(takes_m=2000))  # with all that there is
        assert not last.wait(SOON_S)
        beside.end()
        assert last.wait(LONG_S)


def test_tests_beside_that_are_all_there_is_wait_for_nobody(workers: Three) -> None:
    for turns in workers[1:]:
        item = other("test_chart", 900, a_test("test_profile"))
        with turns.of(item):
            pass
        turns.wait_for_the_others()


def test_a_worker_that_is_gone_takes_nothing(workers: Three, tmp_path: Path) -> None:
    words = f"from tests.test_turns import *; t = Turns(Path({str(tmp_path)!r}))"
    held = "t.of(other('test_chart', 400)).__enter__()"
    play(workers[0], ROOM)
    subprocess.run(
        [sys.executable, "-c", f"{words}; {held}; import os; os._exit(1)"],
        cwd=Path(__file__).parents[1],
        check=False,
    )
    play(workers[0], ALONE)


def test_what_is_told_is_read_by_the_other(workers: Three) -> None:
    first, beside, _ = workers
    assert beside.told("rungs") is None
    first.tell("rungs", {"glyph-1": {"load_s": 5.0}})
    assert beside.told("rungs") == {"glyph-1": {"load_s": 5.0}}
