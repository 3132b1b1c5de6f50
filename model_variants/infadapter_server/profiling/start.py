"""Start the server to profile, measure the time until it is ready, and stop it again."""

import asyncio
import os
import shlex
import signal
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import IO

import click

from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.guard import GRACE_S, guarded
from infadapter_server.profiling.processes import (
    family,
    forget,
    listening_process,
    mapped_files,
)
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.target import is_ready

POLL_S = 0.02


@asynccontextmanager
async def started_server(
    command: str, endpoint: Endpoint, *, timeout_s: float
) -> AsyncIterator[float]:
    """
    Start a server, wait until it is ready, yield the seconds that took, and stop it at the end.
    Raises ProfileError if it cannot be started, ends early, or is not ready in time.
    """
    await _wait_until_free(endpoint)
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as said:
        async with guarded() as guard, _running(_words(command), said, guard) as server:
            await _wait_until_ready(server, endpoint, began_s + timeout_s, said)
            yield time.monotonic() - began_s
            if server.returncode is not None:
                raise ProfileError(
                    f"The server ended with status {server.returncode} while it was measured."
                )


@asynccontextmanager
async def _running(
    command: Sequence[str], said: IO[bytes], guard: Callable[[], None]
) -> AsyncIterator[Process]:
    spawning = asyncio.create_task(_spawn(command, said, guard))
    try:
        yield await asyncio.shield(spawning)  # or a cancellation would leave it running
    except asyncio.CancelledError:
        click.echo("Stopping the server …", err=True)
        raise
    finally:
        await _stop(await spawning)


async def cold_start_s(command: str, endpoint: Endpoint, *, timeout_s: float) -> float:
    """
    Return the duration of a start that reads its files from disk, s.

    A first start shows which files those are; then their page cache is dropped. Files that other
    programs have mapped, such as the interpreter, stay in memory. Raises ProfileError.
    """
    async with started_server(command, endpoint, timeout_s=timeout_s):
        server = listening_process(endpoint.port)
        files = mapped_files(family(server)) if server is not None else set()
    if not files:
        raise ProfileError("The files of the server can't be seen, so it can't be started cold.")
    forget(files)
    async with started_server(command, endpoint, timeout_s=timeout_s) as cold_s:
        return cold_s


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ProfileError(f"{command!r} is not a command: {error}.") from error
    if not words:
        raise ProfileError("The command that starts the server is empty.")
    return words


async def _spawn(command: Sequence[str], said: IO[bytes], guard: Callable[[], None]) -> Process:
    try:
        # A session of its own: Ctrl-C is for us, and we stop the server with all it has started.
        return await asyncio.create_subprocess_exec(
            *command, stdout=said, stderr=said, start_new_session=True, preexec_fn=guard
        )
    except OSError as error:
        raise ProfileError(f"{command[0]} cannot be started: {error.strerror}.") from error


async def _wait_until_free(endpoint: Endpoint) -> None:
    """Wait while a previous server drains; raise an error if the port stays in use."""
    where = f"{endpoint.host}:{endpoint.port}"
    until_s = time.monotonic() + GRACE_S
    while await _listens(endpoint):
        process = listening_process(endpoint.port)
        whose = "" if process is None else f" (process {process})"
        if await is_ready(endpoint):
            raise ProfileError(
                f"A server is ready at {where} already{whose}; "
                "stop it, or measure it without starting one."
            )
        if time.monotonic() > until_s:
            raise ProfileError(f"Another program listens at {where}{whose}; stop it.")
        await asyncio.sleep(POLL_S)


async def _listens(endpoint: Endpoint) -> bool:
    try:
        _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    except OSError:
        return False
    writer.close()
    return True


async def _wait_until_ready(
    server: Process, endpoint: Endpoint, deadline_s: float, said: IO[bytes]
) -> None:
    while not await is_ready(endpoint):
        if server.returncode is not None:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            last = f": {lines[-1][:300]}" if lines else ""
            raise ProfileError(f"The server ended with status {server.returncode}{last}")
        if time.monotonic() > deadline_s:
            raise ProfileError("The server was not ready in time; --start-timeout gives it longer.")
        await asyncio.sleep(POLL_S)


async def _stop(server: Process) -> None:
    try:
        with suppress(ProcessLookupError, TimeoutError):
            os.killpg(server.pid, signal.SIGTERM)
            async with asyncio.timeout(GRACE_S):
                await server.wait()
    finally:  # also after a second Ctrl-C, which ends the waiting
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        await server.wait()
