"""
Two workers of pytest on one cluster: what only waits for the API server or for a pod runs beside
tests that measure no latency and count no writes, and beside others until what they measure has
settled, as a node of two cores has room for both then.

Each worker has a namespace; operator and Prometheus are those of the worker that carries the load.
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

LOAD, BESIDE = "load", "beside"
"""The groups of tests, one for each worker."""

WITHOUT_PODS = ("test_chart",)
MODULES_BESIDE = (
    *WITHOUT_PODS,
    "test_profile",
    "test_gateway",
    "test_borrowed",
    "test_device",
    "test_quota",
)
"""
In the order in which they run: short tests first, as the load waits for the end of one. The longest
of a module are its last, and come when there is room for minutes.
"""

WAITS_S = 1800.0
"""For a turn: longer than all that measures takes."""

ROOMY = "roomy"
"""The mark of a test beside which another may run."""

Room = Callable[[], contextlib.AbstractContextManager[None]]
"""A block beside which another may run."""


class Turns:
    """
    The load's worker keeps the turn from test to test until one is roomy; the other one takes it
    for a test at a time, and not while the first one waits for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: IO[str] | None = None
        self._here: IO[str] | None = None

    @contextlib.contextmanager
    def of(self, item: pytest.Item) -> Iterator[None]:
        if group_of(item.nodeid) == BESIDE:
            with self._beside(item):
                yield
        else:
            if not item.get_closest_marker(ROOMY):
                self._take()
            yield

    @contextlib.contextmanager
    def room(self, *, pods: bool = True) -> Iterator[None]:
        """In a test that has the turn: until what it measures has settled. `pods`: theirs, too."""
        if not pods:
            self._path("full").touch()
        self.leave()
        try:
            yield
        finally:
            self._take()
            self._path("full").unlink(missing_ok=True)

    def leave(self) -> None:
        """Whoever waits beside may run, from now on or again."""
        if self._held is not None:
            self._path("wanted").unlink(missing_ok=True)
            self._held.close()
            self._held = None
        self._path("begun").touch()

    def end(self) -> None:
        """This worker has no more tests."""
        self.leave()
        if self._here is not None:
            self._here.close()

    def wait_for_the_other(self) -> None:
        """Until the worker beside has ended, whose tests need what is taken down next."""
        if self._here is None:
            self.leave()
            self._lock("here").close()

    def tell(self, name: str, content: Any) -> None:
        unfinished = self._path(f"{name}.part")
        unfinished.write_text(json.dumps(content))
        unfinished.rename(self._path(name))

    def told(self, name: str) -> Any:
        """By the load's worker; None: it has not told so."""
        path = self._path(name)
        return json.loads(path.read_text()) if path.exists() else None

    def _take(self) -> None:
        if self._held is None:
            self._path("wanted").touch()
            self._held = self._lock("turn")

    @contextlib.contextmanager
    def _beside(self, item: pytest.Item) -> Iterator[None]:
        self._here = self._here or self._lock("here")
        if all(group_of(each.nodeid) == BESIDE for each in item.session.items):
            self._path("begun").touch()  # nobody else will say so
        until_s = time.monotonic() + WAITS_S
        while not self._has_room(item):
            assert time.monotonic() < until_s, "the worker that carries the load lets nobody run"
            time.sleep(0.2)
        with self._lock("turn"):
            yield

    def _has_room(self, item: pytest.Item) -> bool:
        is_full = self._path("full").exists() and module_of(item.nodeid) not in WITHOUT_PODS
        return self._path("begun").exists() and not is_full and not self._path("wanted").exists()

    def _lock(self, name: str) -> IO[str]:
        """Until it is closed, or its process is gone."""
        file = self._path(f"{name}.lock").open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def _path(self, name: str) -> Path:
        return self._folder / name


class TwoGroups(LoadScopeScheduling):  # type: ignore[misc]
    """A worker for each group."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    return BESIDE if module_of(nodeid) in MODULES_BESIDE else LOAD


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those beside as their modules are listed; the load's as they were."""
    place = {f"e2e/{module}.py": number for number, module in enumerate(MODULES_BESIDE)}
    return sorted(items, key=lambda item: place.get("/".join(item.path.parts[-2:]), len(place)))


def module_of(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem
