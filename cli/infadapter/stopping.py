"""Let signals that end a process cancel its work first, so that changes are reverted."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """
    Let SIGTERM and SIGHUP cancel the current task, as Ctrl-C does.

    By default they end the process at once: `timeout`, a cancelled job or a closed terminal would
    leave a server restricted to one operating point. If SIGHUP is ignored, as under nohup, it stays
    ignored.
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
