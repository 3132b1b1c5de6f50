"""
Turns of two pytest workers on one cluster, the worker "load" and the worker "beside".

Tests of "beside" only wait for the API server or for a pod. They run at the same time as tests of
"load" that measure no latency and count no writes, and as other tests until the values to be
measured have settled: a node of two cores has room for both then. Each worker has a namespace;
operator and Prometheus are those of "load".
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
"""The two groups of tests, one for each worker."""

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
The modules of "beside" in the order in which they run: short tests first, because "load" waits for
a test to end. The longest tests of a module are its last, and run when there is room for minutes.
"""

WAITS_S = 1800.0
"""The longest wait for a turn: longer than all tests that measure take together."""

ROOMY = "roomy"
"""The pytest mark of tests during which tests of the other worker may run."""

Room = Callable[[], contextlib.AbstractContextManager[None]]
"""Makes a context during which tests of the other worker may run."""


class Turns:
    """
    The turn of two workers, as locked files in a common folder. "load" keeps it from test to test
    until one is roomy; "beside" takes it for one test at a time, unless "load" waits for it.
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
        """Give up the turn within the block. `pods`: whether the other worker may run pods."""
        if not pods:
            self._path("full").touch()
        self.leave()
        try:
            yield
        finally:
            self._take()
            self._path("full").unlink(missing_ok=True)

    def leave(self) -> None:
        """Let the other worker run."""
        if self._held is not None:
            self._path("wanted").unlink(missing_ok=True)
            self._held.close()
            self._held = None
        self._path("begun").touch()

    def end(self) -> None:
        """End this worker, which has no more tests."""
        self.leave()
        if self._here is not None:
            self._here.close()

    def wait_for_the_other(self) -> None:
        """Wait until "beside" has ended, since its tests need the operator that is removed next."""
        if self._here is None:
            self.leave()
            self._lock("here").close()

    def tell(self, name: str, content: Any) -> None:
        unfinished = self._path(f"{name}.part")
        unfinished.write_text(json.dumps(content))
        unfinished.rename(self._path(name))

    def told(self, name: str) -> Any:
        """Return what the worker "load" stored by this name, None if it has not."""
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
            self._path("begun").touch()  # no worker "load" would do so
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
        """Lock a file until it is closed or this process ends."""
        file = self._path(f"{name}.lock").open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def _path(self, name: str) -> Path:
        return self._folder / name


class TwoGroups(LoadScopeScheduling):  # type: ignore[misc]
    """Assigns each group of tests to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    return BESIDE if module_of(nodeid) in MODULES_BESIDE else LOAD


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Sort the tests of "beside" by MODULES_BESIDE; the order of the others stays."""
    place = {f"e2e/{module}.py": number for number, module in enumerate(MODULES_BESIDE)}
    return sorted(items, key=lambda item: place.get("/".join(item.path.parts[-2:]), len(place)))


def module_of(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem
