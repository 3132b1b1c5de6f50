"""Executors from the command line: children and workers behind one server, as users run it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.restarting import Restarting
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.fleet import SLOT_BYTES, Fleet
from tests.model_variants.fake_models import stored
from tests.model_variants.test_server_process import REAL, Server, started, wait_for
from tests.model_variants.test_worker_process import worker
from tests.patience import PATIENCE_S

MIB = 2**20


@pytest.mark.parametrize(
    ("processes", "limit", "threads"),
    [(1, 1, 1), (1, 2, 1), (1, 4, 3), (2, 2, 1), (2, 5, 2), (3, 16, 5), (4, 2, 1), (None, 4, 4)],
)
def test_children_share_the_quota_and_leave_one_core_to_the_front_where_there_are_more(
    processes: int | None, limit: int, threads: int
) -> None:
    assert Fleet(processes).threads(limit) == threads


def test_children_share_what_is_less_than_a_core_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infadapter_server.serving.fleet.cpu_quota", lambda: 1.5)
    assert Fleet().speed() == (1.0, 0.0)
    assert Fleet(3).speed() == (0.5, 0.0)
    assert Fleet(workers=("a:1",)).speed().share == 1.0  # what this pod has is not what they have


def test_only_what_computes_in_the_server_itself_is_paced() -> None:
    assert Fleet(paced=True).is_thread
    for words in ({"processes": 2}, {"workers": ("a:1",)}):
        with pytest.raises(ConfigError, match="--paced is for what computes in this process"):
            Fleet(paced=True, **words)


def test_children_share_the_memory_and_workers_have_it_each() -> None:
    assert Fleet(4).memory_each(8 * MIB, MIB) == 2 * MIB
    assert Fleet(workers=("a:1", "[::1]:2")).memory_each(8 * MIB, MIB) == 8 * MIB
    assert Fleet(4).memory_each(None, MIB) is None
    with pytest.raises(ConfigError, match="for each of --processes"):
        Fleet(9).memory_each(8 * MIB, MIB)


def test_a_thread_is_the_default_and_children_keep_off_the_fronts_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (thread,) = Fleet().executors([stored()])
    assert isinstance(thread, ThreadExecutor)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 2, 7})
    for processes, cpus in ((2, {4, 7}), (3, None)):
        for executor in Fleet(processes).executors([]):
            assert isinstance(executor, Restarting)
            child = executor.executor
            assert isinstance(child, ProcessExecutor)
            assert (child.birth.cpus, child.birth.slot_bytes) == (cpus, SLOT_BYTES)


def metric(server: Server, name: str) -> float:
    server.connection.request("GET", "/metrics")
    text = server.connection.getresponse().read().decode()
    line = next(
        line for line in text.splitlines() if line.startswith(f"infadapter_server_{name}{{")
    )
    return float(line.rpartition(" ")[2])


@contextmanager
def load(server: Server, clients: int) -> Iterator[list[int]]:
    """The statuses of all answers, while it goes on; every request has one."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        connection = server.connect()
        while not over.is_set():
            server.ask(connection, statuses)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def children(server: Server) -> list[int]:
    """By the names that `top` shows."""
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    found = [int(pid) for pid in path.read_text().split()]
    return [pid for pid in found if Path(f"/proc/{pid}/comm").read_text().startswith("executor-")]


@pytest.mark.process
def test_a_child_is_killed_under_load_and_comes_back() -> None:
    with started(*REAL, "--processes", "2", "--drain-seconds", "0.2") as server:
        wait_for(lambda: metric(server, "executors") == 2)
        with load(server, 4) as statuses:
            wait_for(lambda: len(statuses) > 20)
            os.kill(children(server)[0], signal.SIGKILL)
            wait_for(lambda: metric(server, "executors_lost_total") == 1)
            assert server.ready()
            before = len(statuses)
            wait_for(lambda: metric(server, "executors") == 2)
            wait_for(lambda: len(statuses) > before + 20)
        assert set(statuses) <= {200, 503}
        assert statuses.count(503) <= max(8, len(statuses) / 5)  # the other one went on
        server.process.send_signal(signal.SIGTERM)
        code, errors = server.end()
    assert code == 0, errors
    assert "executor-" in errors
    assert "was killed by SIGKILL. It is started again" in errors
    assert "Traceback" not in errors


@pytest.mark.process
def test_ctrl_c_while_children_are_starting_ends_all_in_silence() -> None:
    """A terminal sends it to all of its processes."""
    for seconds in (0.0, 0.3):
        with started(*REAL, "--processes", "2", ready=False) as server:
            time.sleep(seconds)
            for pid in (*children(server), server.process.pid):
                os.kill(pid, signal.SIGINT)
            code, errors = server.end()
        assert code in (0, 130), errors
        assert "Traceback" not in errors


@pytest.mark.process
def test_a_worker_is_killed_under_load_and_one_in_its_place_serves() -> None:
    with worker("--host", "127.0.0.1", "--port", "0") as (victim, address):
        arguments = (*REAL, "--worker", address, "--drain-seconds", "0.2")
        with started(*arguments) as server:
            with load(server, 4) as statuses:
                wait_for(lambda: statuses.count(200) > 20)
                kill(victim)
                wait_for(lambda: not server.ready())
                assert server.get("/v2/health/live") == 200
                port = address.rpartition(":")[2]
                with worker("--host", "127.0.0.1", "--port", port):
                    wait_for(server.ready)
                    before = statuses.count(200)
                    wait_for(lambda: statuses.count(200) > before + 20)
            assert set(statuses) <= {200, 503}
            server.process.send_signal(signal.SIGINT)
            code, errors = server.end()
    assert code == 0, errors
    assert f"worker-0 at {address} can't be reached" in errors
    assert "Traceback" not in errors


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
