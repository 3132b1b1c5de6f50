"""Which server belongs to which order, with a fork server that keeps some orders waiting."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infadapter_local import fork_client
from infadapter_local.fork_client import ForkClient, started_fork_client
from infadapter_local.processes import Processes

# An order of "late" is answered after the next one, and then waited for until its server has ended.
FAKE_FORK_SERVER = """
import json, subprocess, sys

def start(order):
    server = subprocess.Popen(["cat"], stdin=subprocess.PIPE)  # ends when we do
    servers.append(server)
    print("started", order["number"], server.pid, flush=True)
    return server

print("ready", flush=True)
servers, late = [], []
for line in sys.stdin:
    order = json.loads(line)
    if order["command"] == ["late"]:
        late.append(order)
        continue
    start(order)
    while late:
        server = start(late.pop())
        print("ended", server.pid, server.wait(), flush=True)
"""


@pytest.fixture
async def client(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ForkClient]:
    (tmp_path / "fake_fork_server.py").write_text(FAKE_FORK_SERVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    talk = processes.talk
    monkeypatch.setattr(processes, "talk", lambda name, _: talk(name, "fake_fork_server"))
    async with started_fork_client(processes) as started:
        yield started


async def test_each_order_gets_its_own_server_whichever_is_answered_first(
    client: ForkClient,
) -> None:
    late = asyncio.create_task(client.start("late", ["late"]))
    await asyncio.sleep(0)
    prompt = await client.start("prompt", ["prompt"])
    pids = [prompt.pid, (await late).pid]
    assert list(client._servers) == pids


async def test_a_server_that_comes_after_its_order_was_given_up_is_killed(
    client: ForkClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(fork_client, "_START_LIMIT_S", 0.1)
        with pytest.raises(OSError, match="fork-server forks no servers"):
            await client.start("late", ["late"])
    children = [await client.start("prompt", ["prompt"]) for _ in range(2)]
    assert all(child.running for child in children)
    assert list(client._servers) == [child.pid for child in children]
