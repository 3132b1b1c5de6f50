"""
A server that was started must not outlive who measures it: after a SIGKILL nobody would stop it,
and the next run would find it on the port, or beside its own.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
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
async def guarded() -> AsyncIterator[Callable[[int], None]]:
    """Until this is left, a shell waits for our end, to end the process group that it is told of.

    Raises ProfileError where there is no shell.
    """
    try:
        # A session of its own: what ends our group, or closes our terminal, must not end it.
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", _SCRIPT),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ProfileError(f"sh cannot be started: {error.strerror}.") from error
    assert shell.stdin is not None
    tell = shell.stdin.write
    try:
        yield lambda group: tell(f"{group}\n".encode())
    finally:
        with suppress(ProcessLookupError):
            shell.kill()
        await shell.wait()
