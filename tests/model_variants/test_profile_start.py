"""A server that the profiler starts: it ends with the profiler, and never beside another one."""

import os
import signal
import socket
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling import start
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.start import started_server
from tests.patience import PATIENCE_S

PROFILER = """
import asyncio, sys
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.start import started_server

async def main():
    nowhere = Endpoint(host="127.0.0.1", port=1, path="/")
    async with started_server(sys.argv[1], nowhere, timeout_s=600):
        pass

asyncio.run(main())
"""


def wait_until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def runs(process: int) -> bool:
    """Not so a zombie, which init of a container may leave."""
    return fields(process)[:1] not in ([], ["Z"])


def test_a_killed_profiler_takes_its_server_with_it_and_what_that_started(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    server = f"sh -c 'sleep 600 & echo $$ $! > {noted}.part; mv {noted}.part {noted}; wait'"
    with subprocess.Popen([sys.executable, "-c", PROFILER, server]) as profiler:
        wait_until(noted.exists)
        processes = [int(each) for each in noted.read_text().split()]
        assert all(runs(each) for each in processes)
        profiler.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(runs(each) for each in processes))


async def test_nobody_watches_a_server_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready(_: Endpoint) -> bool:
        return True

    before = children()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = Endpoint(host="127.0.0.1", port=nobody.getsockname()[1], path="/")
        monkeypatch.setattr(start, "is_ready", ready)
        async with started_server("sleep 600", endpoint, timeout_s=PATIENCE_S):
            assert len(children() - before) == 2  # the server, and who watches it
    assert children() == before


def children() -> set[int]:
    numbers = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
    return {each for each in numbers if fields(each)[1:2] == [str(os.getpid())]}


def fields(process: int) -> list[str]:
    """Of its state behind its name; none where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return []


async def test_beside_another_program_on_the_port_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a server that loads still: it would be taken for ours once it is ready."""
    monkeypatch.setattr(start, "GRACE_S", 0.1)
    monkeypatch.setattr("infadapter_server.profiling.target.ASK_TIMEOUT_S", 0.1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        endpoint = Endpoint(host="127.0.0.1", port=other.getsockname()[1], path="/")
        sentence = rf"Another program listens at .* \(process {os.getpid()}\); stop it\."
        with pytest.raises(ProfileError, match=sentence):
            async with started_server(f"touch {tmp_path}/started", endpoint, timeout_s=1):
                pass
    assert not (tmp_path / "started").exists()


async def test_a_server_that_ends_while_it_is_measured_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever else answers at its port then was measured in its place."""

    async def ready(_: Endpoint) -> bool:
        return True

    async def free(_: Endpoint) -> None:
        pass

    monkeypatch.setattr(start, "is_ready", ready)
    monkeypatch.setattr(start, "_wait_until_free", free)
    spawned, spawn = list[Process](), start._spawn

    async def noting(*arguments: Any) -> Process:
        spawned.append(await spawn(*arguments))
        return spawned[0]

    monkeypatch.setattr(start, "_spawn", noting)

    async def measure() -> None:
        nowhere = Endpoint(host="h", port=1, path="/")
        async with started_server("sh -c 'exit 3'", nowhere, timeout_s=PATIENCE_S):
            await spawned[0].wait()

    with pytest.raises(ProfileError, match="ended with status 3 while it was measured"):
        await measure()
