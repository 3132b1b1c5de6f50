"""Signals that end a process cancel what it does first: what must be put back is put back."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """
    Let SIGTERM and SIGHUP cancel the current task, as Ctrl-C does.

    By themselves they end the process at once: `timeout`, a job that is cancelled and a terminal
    that is closed would leave a server held to one operating point. What ignores SIGHUP, as under
    nohup, goes on ignoring it.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    heard = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    for number in heard:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
