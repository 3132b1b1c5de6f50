"""The CPU time of a batch on the demo's server: other programs on the machine hardly change it."""

import asyncio
from collections.abc import Sequence
from math import inf

from benchmarks.serving.runs import ours, started
from infadapter_local.router import free_ports
from infadapter_server.loadgen import flood
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.profiling.processes import cpu_s

LIMITS = (1, 2, 4, 8)
WINDOWS, WINDOW_S, WARM_S = 6, 1.0, 1.0
PATIENCE_S = 10.0  # nobody is refused: what waits longest has eight batches before it
IN_FLIGHT = 8  # batches: one always waits whole


def execution_s(variant: str, limits: Sequence[int] = LIMITS) -> dict[int, float]:
    """By batch size, of a batch that is full, with all that its requests take beside it."""
    return {limit: limit * _request_s(variant, limit) for limit in limits}


def _request_s(variant: str, limit: int) -> float:
    """The least of some windows, of a server that is flooded: caches are shared, too."""
    (port,) = free_ports(1)
    command = ours(port, PATIENCE_S, "--variant", variant, "--max-batch", str(limit))
    with started(command, port) as pid:
        _answers(variant, port, limit, WARM_S)
        return min(_window_s(variant, port, pid, limit) for _ in range(WINDOWS))


def _window_s(variant: str, port: int, pid: int, limit: int) -> float:
    before_s = cpu_s([pid])
    answers = _answers(variant, port, limit, WINDOW_S)
    return (cpu_s([pid]) - before_s) / answers if answers else inf


def _answers(variant: str, port: int, limit: int, seconds: float) -> int:
    outcomes = asyncio.run(
        flood(
            host="127.0.0.1",
            port=port,
            path=f"/v2/models/{variant}/infer",
            bodies=glyph_bodies(seed=1),
            concurrency=IN_FLIGHT * limit,
            duration_s=seconds,
            timeout_s=PATIENCE_S,
        )
    )
    return sum(outcome.answered for outcome in outcomes)
