"""A replay in a Python process of its own, whose timing nothing of the parent's work disturbs.

Outcomes come through a file, not a pipe: a parent that is slow to read must not block the sender.
"""

import asyncio
import contextlib
import tempfile
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from infadapter_server.interpreter import module_command
from infadapter_server.loadgen.records import Start, Tail
from infadapter_workload.outcomes import Outcome
from infadapter_workload.trace import Array

POLL_S = 0.1
GRACE_S = 2.0  # between asking the child to end and ending it


class ChildError(Exception):
    """The child process ended with an error; the message is what it said."""


async def replay_in_child(
    *,
    url: str,
    bodies: Sequence[bytes],
    arrivals_s: Array,
    timeout_s: float,
    on_outcome: Callable[[Outcome], None] | None = None,
    on_start: Callable[[Start], None] | None = None,
) -> list[Outcome]:
    """Do what `replay` does, in a child process; callbacks come up to 0.1 s later.

    Starting the child takes some tenths of a second; `on_start` tells when its second 0 is. When
    this is cancelled, the child is ended first.

    Raises ChildError when the child fails.
    """
    with tempfile.TemporaryDirectory(prefix="infadapter-loadgen-") as folder:
        command, out = _prepare(Path(folder), url, bodies, arrivals_s, timeout_s)
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            outcomes = await _follow(child, out, on_outcome, on_start)
        finally:
            await _end(child)
    return sorted(outcomes, key=lambda outcome: outcome.scheduled_s)


def _prepare(
    folder: Path, url: str, bodies: Sequence[bytes], arrivals_s: Array, timeout_s: float
) -> tuple[list[str], Path]:
    arrivals, out = folder / "arrivals.txt", folder / "outcomes.jsonl"
    np.savetxt(arrivals, arrivals_s, fmt="%.9f")
    command = [*module_command("infadapter_server.loadgen"), "--url", url]
    command += ["--arrivals", str(arrivals), "--timeout", str(timeout_s), "--out", str(out)]
    for number, body in enumerate(bodies):
        path = folder / f"body-{number}.json"
        path.write_bytes(body)
        command += ["--body", str(path)]
    return command, out


async def _follow(
    child: Process,
    out: Path,
    on_outcome: Callable[[Outcome], None] | None,
    on_start: Callable[[Start], None] | None,
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with contextlib.closing(Tail(out)) as tail:
        while True:
            ended = await _ended_within(child, POLL_S)  # first, so that the last lines are read
            known = tail.start
            new = tail.read_new()
            if on_start is not None and tail.start is not None and known is None:
                on_start(tail.start)
            if on_outcome is not None:
                for outcome in new:
                    on_outcome(outcome)
            outcomes += new
            if ended:
                break
    if child.returncode != 0:
        assert child.stderr is not None
        said = (await child.stderr.read()).decode(errors="replace").strip()
        raise ChildError(said.splitlines()[-1] if said else f"exit status {child.returncode}")
    return outcomes


async def _ended_within(child: Process, seconds: float) -> bool:
    try:
        await asyncio.wait_for(child.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _end(child: Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    if not await _ended_within(child, GRACE_S):
        child.kill()
        await child.wait()
