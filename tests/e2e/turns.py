"""
Three workers of pytest on one cluster, each with a namespace. The one that carries the load says
how many millicores of the node its test leaves to pods of the others, and none while it measures
alone; theirs begin when what they take fits into that.

Operator and Prometheus are those of the load's worker. What starts an operator anew has its own.
"""

import contextlib
import fcntl
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

LOAD, BESIDE, APART = "load", "beside", "apart"
"""The groups of tests, one for each worker: those apart have an operator of their own."""

MODULES = {
    BESIDE: ("test_api", "test_chart", "test_gateway", "test_borrowed", "test_profile"),
    APART: ("test_error_budget", "test_does_not_come"),
}
"""
In the order in which they run. What is in none is the load's, and needs the operator that its
worker installs.
"""

WAITS_S = 1800.0
"""For a turn: longer than all that measures takes."""

ROOMY, TAKES, LAST = "roomy", "takes", "last"
"""The marks: what a test leaves to the others, what it takes beside one, and that it is the end."""

ALL_M = 1_000_000
"""Of any node."""

LATE_S = 10.0
"""So long the load may wait for what began in what it left."""


class Turns:
    """What the load leaves and what the others take, in a folder that all workers share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._here: IO[str] | None = None
        self._carries_load = False

    @contextlib.contextmanager
    def of(self, item: pytest.Item) -> Iterator[None]:
        if group_of(item.nodeid) != LOAD:
            with self._beside(item):
                yield
            return
        self._carries_load = True
        if item.get_closest_marker(LAST):
            self.wait_for_the_others()
        self._narrow(left_m(item))
        yield

    def leave(self, cpu_m: int, seconds: float = math.inf) -> None:
        """To whoever waits beside, from now on and for about so long."""
        with self._state() as state:
            state |= {"left_m": cpu_m, "until_s": time.time() + seconds}

    def end(self) -> None:
        """This worker has no more tests, or never had any."""
        if self._carries_load:
            self.leave(ALL_M)
        if self._here is not None:
            self._here.close()

    def wait_for_the_others(self) -> None:
        """Until the workers beside have ended, whose tests need what is taken down next."""
        if self._here is None:
            self.leave(ALL_M)
            self._lock("here", fcntl.LOCK_EX).close()

    def tell(self, name: str, content: Any) -> None:
        unfinished = self._path(f"{name}.part")
        unfinished.write_text(json.dumps(content))
        unfinished.rename(self._path(name))

    def told(self, name: str) -> Any:
        """By the load's worker; None: it has not told so."""
        path = self._path(name)
        return json.loads(path.read_text()) if path.exists() else None

    def _narrow(self, cpu_m: int) -> None:
        """No more is left than before, until its fixtures are there; what takes more has ended."""
        with self._state() as state:
            state["left_m"] = min(state["left_m"], cpu_m)
        _wait_until(lambda: self._fits(cpu_m), "what runs beside does not end")

    @contextlib.contextmanager
    def _beside(self, item: pytest.Item) -> Iterator[None]:
        self._here = self._here or self._lock("here", fcntl.LOCK_SH)
        if all(group_of(each.nodeid) != LOAD for each in item.session.items):
            self.leave(ALL_M)  # nobody else will
        group, cpu_m = group_of(item.nodeid), max(1, int(_argument(item, TAKES, 0, 0)))
        lasts_s = _argument(item, TAKES, 1, 0)
        _wait_until(lambda: self._take(group, cpu_m, lasts_s), "the load leaves no room")
        try:
            yield
        finally:
            with self._state() as state:
                state["taken"].pop(group)

    def _take(self, group: str, cpu_m: int, lasts_s: float) -> bool:
        """Not what would keep the load waiting for long."""
        with self._state() as state:
            is_room = _taken_m(state) + cpu_m <= state["left_m"]
            is_in_time = time.time() + lasts_s <= state["until_s"] + LATE_S
            if is_room and is_in_time:
                state["taken"][group] = (os.getpid(), cpu_m)
            return bool(is_room and is_in_time)

    def _fits(self, cpu_m: int) -> bool:
        with self._state() as state:
            return _taken_m(state) <= cpu_m

    @contextlib.contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        with self._lock("state", fcntl.LOCK_EX):
            yield (state := self.told("turns") or nothing_yet())
            self.tell("turns", state)

    def _lock(self, name: str, kind: int) -> IO[str]:
        """Until it is closed, or its process is gone."""
        file = self._path(f"{name}.lock").open("w")
        fcntl.flock(file, kind)
        return file

    def _path(self, name: str) -> Path:
        return self._folder / name


class Workers(LoadScopeScheduling):  # type: ignore[misc]
    """One for each group; one for all where no test carries the load, and so none has installed."""

    def _split_scope(self, nodeid: str) -> str:
        is_load_there = LOAD in map(group_of, self.collection)
        return group_of(nodeid) if is_load_there else LOAD


def group_of(nodeid: str) -> str:
    module = module_of(nodeid)
    return next((group for group, modules in MODULES.items() if module in modules), LOAD)


def module_of(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those of the others as their modules are listed; the load's as they were."""
    listed = [module for modules in MODULES.values() for module in modules]
    place = {module: number for number, module in enumerate(listed)}
    return sorted(items, key=lambda item: place.get(module_of(item.nodeid), len(listed)))


def left_m(item: pytest.Item) -> int:
    return int(_argument(item, ROOMY, 0, ALL_M)) if item.get_closest_marker(ROOMY) else 0


def left_s(item: pytest.Item) -> float:
    return _argument(item, ROOMY, 1, math.inf)


def _argument(item: pytest.Item, mark: str, place: int, default: float) -> float:
    found = item.get_closest_marker(mark)
    return float(found.args[place]) if found and place < len(found.args) else default


def nothing_yet() -> dict[str, Any]:
    return {"left_m": 0, "until_s": math.inf, "taken": {}}


def _taken_m(state: dict[str, Any]) -> int:
    """By tests whose process is still there: one that is gone has not given it back."""
    return sum(cpu_m for pid, cpu_m in state["taken"].values() if Path(f"/proc/{pid}").exists())


def _wait_until(holds: Callable[[], bool], or_else: str) -> None:
    until_s = time.monotonic() + WAITS_S
    while not holds():
        assert time.monotonic() < until_s, or_else
        time.sleep(0.2)
