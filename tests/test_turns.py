"""The two workers of the end-to-end tests take turns: no cluster is needed to see that."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e.turns import BESIDE, LOAD, MODULES_BESIDE, ROOMY, Turns, group_of, in_order
from tests.patience import PATIENCE_S

SOON_S, LONG_S = 0.5, PATIENCE_S
"""So long nothing may happen that would happen at once; and so long something may take."""


def a_test(module: str, *marks: str) -> Any:
    """As much of a pytest item as turns look at."""
    item = SimpleNamespace(
        nodeid=f"tests/e2e/{module}.py::test_it[a case]",
        path=Path(f"/checkout/tests/e2e/{module}.py"),
        get_closest_marker=lambda name: name if name in marks else None,
    )
    item.session = SimpleNamespace(items=[item])
    return item


ALONE, ROOM = a_test("test_points"), a_test("test_error_budget", ROOMY)


def beside(*others: Any, module: str = "test_chart") -> Any:
    item = a_test(module)
    item.session.items += others
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
            if item.get_closest_marker(ROOMY):
                turns.leave()  # as from its call on


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Sequence[Turns]]:
    both = Turns(tmp_path), Turns(tmp_path)
    yield both
    for each in both:
        each.end()


def test_every_module_beside_is_there() -> None:
    there = {path.stem for path in (Path(__file__).parent / "e2e").glob("test_*.py")}
    assert set(MODULES_BESIDE) <= there
    assert {group_of(f"tests/e2e/{name}.py::test[a::b]") for name in MODULES_BESIDE} == {BESIDE}
    assert group_of("tests/e2e/test_points.py::test_it") == LOAD


def test_nothing_runs_beside_before_a_test_with_room_nor_beside_the_next_one_without(
    workers: Sequence[Turns],
) -> None:
    first, other = workers
    play(first, ALONE)
    with in_thread(other, beside(ALONE)) as (began, end):
        play(first, ALONE)
        assert not began.wait(SOON_S)
        play(first, ROOM)
        assert began.wait(LONG_S)
        with in_thread(first, ALONE) as (alone, _):
            assert not alone.wait(SOON_S)
            end.set()
            assert alone.wait(LONG_S)
    play(first, ALONE)
    with in_thread(other, beside(ALONE)) as (began, end):
        assert not began.wait(SOON_S)
        first.end()
        assert began.wait(LONG_S)


@contextmanager
def settling(turns: Turns, *, pods: bool) -> Iterator[tuple[threading.Event, threading.Event]]:
    """In the load's worker: when it measures, and how it comes to that."""
    measures, settled = threading.Event(), threading.Event()

    def settle_and_measure() -> None:
        with turns.of(ALONE):
            with turns.room(pods=pods):
                settled.wait(LONG_S)
            measures.set()

    thread = threading.Thread(target=settle_and_measure)
    thread.start()
    yield measures, settled
    settled.set()
    thread.join(LONG_S)
    assert not thread.is_alive()


def test_beside_what_only_settles_another_runs_until_that_measures(
    workers: Sequence[Turns],
) -> None:
    first, other = workers
    with (
        settling(first, pods=True) as (measures, settled),
        in_thread(other, beside(ALONE)) as (began, end),
    ):
        assert began.wait(LONG_S)
        settled.set()
        assert not measures.wait(SOON_S)
        end.set()
        assert measures.wait(LONG_S)
    with in_thread(other, beside(ALONE)) as (began, end):
        assert not began.wait(SOON_S)
        first.end()
        assert began.wait(LONG_S)


def test_beside_what_may_fill_the_node_only_what_has_no_pods_runs(
    workers: Sequence[Turns],
) -> None:
    first, other = workers
    with settling(first, pods=False) as (measures, settled):
        with in_thread(other, beside(ALONE)) as (began, _):
            assert began.wait(LONG_S)
        with in_thread(other, beside(ALONE, module="test_device")) as (began, _):
            assert not began.wait(SOON_S)
            settled.set()
            assert measures.wait(LONG_S)
            assert not began.wait(SOON_S)
            first.end()
            assert began.wait(LONG_S)


def test_modules_beside_run_as_they_are_listed_and_the_loads_as_they_were() -> None:
    names = ("test_gateway", "test_points", "test_chart", "test_demand_steps", "test_profile")
    given = [a_test(name) for name in reversed(names)]
    found = [item.path.stem for item in in_order(given)]
    listed = [name for name in MODULES_BESIDE if name in names]
    assert found == [*listed, "test_demand_steps", "test_points"]


def test_who_waits_for_the_turn_is_not_passed_by_the_next_test_beside(
    workers: Sequence[Turns],
) -> None:
    first, other = workers
    play(first, ROOM)
    with in_thread(other, beside(ALONE)) as (began, end):
        assert began.wait(LONG_S)
        with in_thread(first, ALONE) as (alone, _):
            assert not alone.wait(SOON_S)
            end.set()
            with in_thread(other, beside(ALONE)) as (again, _):
                assert alone.wait(LONG_S)
                assert not again.wait(SOON_S)
                first.end()


def test_tests_beside_that_are_all_there_is_wait_for_nobody(workers: Sequence[Turns]) -> None:
    play(workers[1], beside())
    workers[1].wait_for_the_other()


def test_what_is_told_is_read_by_the_other(workers: Sequence[Turns]) -> None:
    first, other = workers
    assert other.told("rungs") is None
    first.tell("rungs", {"glyph-1": {"load_s": 5.0}})
    assert other.told("rungs") == {"glyph-1": {"load_s": 5.0}}
