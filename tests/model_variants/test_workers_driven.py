"""One controller over several workers, by the scheduler's kernel: what a death costs."""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from benchmarks.workers.controller import Controller, Fate
from benchmarks.workers.offered import Request
from infadapter_scheduler import Model, Scheduler
from infadapter_server.executors.port import Executor
from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.stored import Stored
from tests.model_variants.fake_models import prepare, stored
from tests.model_variants.test_remote_executor import process
from tests.patience import PATIENCE_S

NAMES = [f"model-{number}" for number in range(6)]
STORED: Mapping[str, Stored] = {name: stored(name) for name in NAMES}
INPUTS: Mapping[str, Floats] = {name: np.ones((1, 2), np.float32) for name in NAMES}
PROFILE = {1: 0.002, 2: 0.003}
SECONDS, RATE = 2.0, 60
AHEAD = 8
"""Of the one that is killed: what may have been sent there and not come back."""


def controller(executors: list[Executor], pages: int | None) -> Controller:
    models = (Model(name, PROFILE, 0.005, 1) for name in NAMES)
    kernel = Scheduler(models, buffer_s=0.02, lag_s=0.003)
    return Controller(kernel, executors, STORED, INPUTS, pages)


def requests() -> list[Request]:
    count = int(SECONDS * RATE)
    return [Request(n / RATE, NAMES[n % len(NAMES)]) for n in range(count)]


@pytest.fixture(autouse=True)
def waits_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.workers.controller.AFTERWARDS_S", PATIENCE_S)


@contextmanager
def stopped(executors: list[Executor]) -> Iterator[list[Executor]]:
    try:
        yield executors
    finally:
        for executor in executors:
            executor.stop(within_s=0)


def killed_in_between() -> Controller:
    """One of two workers, while requests come."""
    with process() as (_, first), process() as (victim, second):
        remotes: list[Executor] = [RemoteExecutor("first", first), RemoteExecutor("second", second)]
        with stopped(remotes):
            driven = controller(remotes, pages=3)
            driven.start()
            kill = partial(victim.send_signal, signal.SIGKILL)
            driven.run(requests(), PATIENCE_S, [(SECONDS / 2, kill)])
    return driven


@pytest.mark.process
def test_a_killed_worker_costs_its_batch_and_its_models_are_loaded_elsewhere() -> None:
    """Where the machine stands still, what comes meanwhile is sent there as well."""
    on_time: list[int] = []
    while not on_time or on_time[-1] < len(requests()) - AHEAD:
        assert len(on_time) < 5, on_time
        driven = killed_in_between()
        fates = Counter(driven.kept.fates.values())
        assert fates.total() == len(requests())
        assert fates[Fate.LATE] == fates[Fate.FAILED] == 0
        on_time.append(fates[Fate.ON_TIME])
    ((lost_s, reason),) = driven.kept.losses
    assert "second at" in reason
    there = {model for at_s, name, model in driven.kept.loads if name == "second"}
    afterwards = {model for at_s, name, model in driven.kept.loads if at_s > lost_s}
    assert there & afterwards
    assert driven.kept.unloads > 0


def test_child_processes_are_driven_the_same_way() -> None:
    children: list[Executor] = [
        ProcessExecutor(name, prepare, slot_bytes=64) for name in ("first", "second")
    ]
    with stopped(children):
        driven = controller(children, pages=None)
        driven.start()
        driven.run(requests()[:50], PATIENCE_S)
    assert set(driven.kept.fates.values()) == {Fate.ON_TIME}
    assert not driven.kept.losses
