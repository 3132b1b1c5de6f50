"""The closed loop: as much as a number of clients that wait for their answers can send.

It finds a server's saturation. Nothing should be concluded from its latencies: when the server is
slow it sends less, which hides the queue that an open loop would show.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from infadapter_server.loadgen.calls import Call, outcome_of, prepare
from infadapter_server.loadgen.connections import Pool
from infadapter_workload.outcomes import TIMED_OUT, Outcome

BREATH_S = 0.01  # between a refusal and the next try of a client


async def flood(
    *,
    host: str,
    port: int,
    path: str,
    bodies: Sequence[bytes],
    concurrency: int,
    duration_s: float,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
) -> list[Outcome]:
    """Let `concurrency` clients send without pause for a while, each after its last answer.

    Returns the outcomes in order of completion. After anything but a 2xx a client waits 10 ms: a
    server that refuses in microseconds would otherwise be drowned in retries.
    """
    requests = prepare(host=host, port=port, path=path, bodies=bodies, headers=headers or {})
    pool = Pool(host=host, port=port, limit=concurrency, connect_timeout_s=timeout_s)
    start_s = time.monotonic()
    outcomes: list[Outcome] = []

    async def client(number: int) -> None:
        turn = number
        while time.monotonic() < start_s + duration_s:
            outcome = await _ask(pool, requests[turn % len(requests)], start_s, timeout_s)
            outcomes.append(outcome)
            turn += concurrency
            if not outcome.answered:
                await asyncio.sleep(BREATH_S)

    try:
        async with asyncio.TaskGroup() as clients:
            for number in range(concurrency):
                clients.create_task(client(number))
    finally:
        await pool.close()
    return outcomes


async def _ask(pool: Pool, request: bytes, start_s: float, timeout_s: float) -> Outcome:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()

    def done(_: Call) -> None:
        if not answered.done():
            answered.set_result(None)

    now_s = time.monotonic()
    call = Call(request=request, scheduled_s=now_s, sent_s=now_s, on_done=done)
    pool.send(call)
    watch = loop.call_later(timeout_s, pool.give_up, call, TIMED_OUT)
    try:
        await answered
    finally:
        watch.cancel()
    return outcome_of(call, start_s)
