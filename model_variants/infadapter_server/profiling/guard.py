"""
End started servers when the profiler is killed. After a SIGKILL nothing else would stop them, and
the next run would find one on its port, or beside its own server.
"""

import asyncio
import os
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from infadapter_server.profiling.profiler import ProfileError

GRACE_S = 10  # from SIGTERM to SIGKILL: a server drains
_SCRIPT = f"""
read -r group || exit
read -r nothing
kill -s TERM -- "-$group"
for second in $(seq {GRACE_S}); do kill -s 0 -- "-$group" || exit; sleep 1; done
kill -s KILL -- "-$group"
"""
"""
The shell waits for a second line that never comes: its standard input ends with the process that
holds it.
"""


@asynccontextmanager
async def guarded() -> AsyncIterator[Callable[[], None]]:
    """
    Run a shell that ends the given process groups when this process ends.

    The yielded function must be called in a new process before it becomes the server. If we told
    the shell afterwards, it would not know of a server that was started just before our end. Raises
    ProfileError if there is no shell.
    """
    reads, writes = os.pipe()
    try:
        shell = await _shell(reads)
    except BaseException:
        os.close(writes)
        raise
    finally:
        os.close(reads)
    try:
        yield lambda: _tell(writes)
    finally:
        with suppress(ProcessLookupError):
            shell.kill()  # first: the end of the pipe is what it waits for
        os.close(writes)
        await shell.wait()


def _tell(pipe: int) -> None:
    os.write(pipe, b"%d\n" % os.getpid())


async def _shell(stdin: int) -> Process:
    try:
        # A session of its own: what ends our group, or closes our terminal, must not end it.
        return await asyncio.create_subprocess_exec(
            *("sh", "-c", _SCRIPT),
            stdin=stdin,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ProfileError(f"sh cannot be started: {error.strerror}.") from error
