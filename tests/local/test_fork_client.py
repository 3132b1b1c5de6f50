"""Which server belongs to which order, with a nursery that keeps some orders waiting."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infadapter_local import fork_client
from infadapter_local.fork_client import Nursery, started_nursery
from infadapter_local.processes import Processes

# An order of "late" is answered after the next one, and then waited for until its server has ended.
FAKE_NURSERY = """
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
async def nursery(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Nursery]:
    (tmp_path / "fake_nursery.py").write_text(FAKE_NURSERY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    talk = processes.talk
    monkeypatch.setattr(processes, "talk", lambda name, _: talk(name, "fake_nursery"))
    async with started_nursery(processes) as started:
        yield started


async def test_each_order_gets_its_own_server_whichever_is_answered_first(nursery: Nursery) -> None:
    late = asyncio.create_task(nursery.start("late", ["late"]))
    await asyncio.sleep(0)
    prompt = await nursery.start("prompt", ["prompt"])
    pids = [prompt.pid, (await late).pid]
    assert list(nursery._servers) == pids


async def test_a_server_that_comes_after_its_order_was_given_up_is_killed(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(fork_client, "_START_LIMIT_S", 0.1)
        with pytest.raises(OSError, match="nursery forks no servers"):
            await nursery.start("late", ["late"])
    children = [await nursery.start("prompt", ["prompt"]) for _ in range(2)]
    assert all(child.running for child in children)
    assert list(nursery._servers) == [child.pid for child in children]
