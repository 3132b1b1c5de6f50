"""
A server that was started must not outlive who measures it: after a SIGKILL nobody would stop it,
and the next run would find it on the port, or beside its own.
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
"""A second line comes never: when its standard input ends, the process that had it is gone."""


@asynccontextmanager
async def guarded() -> AsyncIterator[Callable[[], None]]:
    """Until this is left, a shell waits for our end, to end the process groups that it is told of.

    What is given is called in a new process before it becomes the server: told by us, once it is
    there, the shell would not know of one that was started in the moment of our end. Raises
    ProfileError where there is no shell.
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
