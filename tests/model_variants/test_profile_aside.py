"""What the profiler asks beside its event loop, and an interrupt while nobody answers."""

import asyncio
import socket
import threading
import time
from typing import NoReturn

import pytest

from infadapter_server.loadgen.client import run
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.aside import aside
from infadapter_server.profiling.target import ask_facts
from tests.patience import PATIENCE_S


async def test_what_is_asked_is_answered_or_raised() -> None:
    def wrong() -> NoReturn:
        raise ValueError("said so")

    assert await aside(divmod, 7, 2) == (3, 1)
    with pytest.raises(ValueError, match="said so"):
        await aside(wrong)


def test_an_interrupt_waits_for_no_server_that_never_answers() -> None:
    accepted = threading.Event()

    async def interrupted() -> None:
        asking = asyncio.create_task(
            ask_facts(Endpoint(host="127.0.0.1", port=port, path="/v2/models/a/infer"))
        )
        await asyncio.to_thread(accepted.wait, PATIENCE_S)
        asking.cancel()
        await asking

    def accept() -> None:
        with listener.accept()[0]:
            accepted.set()
            never.wait(PATIENCE_S)

    never = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=accept, daemon=True).start()
        with pytest.raises(asyncio.CancelledError):
            run(interrupted())
        assert any(thread.name == "aside" for thread in threading.enumerate())
        never.set()
    while any(thread.name == "aside" for thread in threading.enumerate()):
        time.sleep(0.01)
