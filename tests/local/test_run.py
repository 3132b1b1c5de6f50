"""The whole chain in a few seconds: generator, Envoy, tiny servers, and the operator's loop."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infadapter_local.fork_client import started_fork_client
from infadapter_local.measure import running, variant_words
from infadapter_local.processes import Processes
from infadapter_local.router import envoy_path
from infadapter_local.run import Place, play
from infadapter_local.workload import Workload
from infadapter_operator.domain.service import Service
from infadapter_solver.problem import PodSize, Target

needs_envoy = pytest.mark.skipif(
    envoy_path() is None, reason="no envoy binary (extra `local` brings it)"
)


@needs_envoy
@pytest.mark.process
async def test_the_loop_serves_a_trace_with_real_processes(
    service: Service,
    processes: Processes,
    tiny_server: Callable[[Target, PodSize, int], list[str]],
    tmp_path: Path,
) -> None:
    arrivals_s = np.arange(0.0, 4.0, 0.05)
    load = Workload(arrivals_s=arrivals_s, rates_rps=np.full(4, 20.0), step_s=1.0)
    place = Place(
        processes=processes, start=processes.start, command=tiny_server, folder=tmp_path, seed=1
    )
    ticks: list[float] = []
    cheap = replace(service, objective=replace(service.objective, cost_weight=0.0))

    later: list[Counter[tuple[int, str | None]]] = []
    served_well = Counter({(200, "glyph-2"): 40})  # the more accurate one
    while served_well not in later:
        assert len(later) < 5, later  # in each of them the machine stood still
        run = await play("ours", cheap, load, place, lambda run: ticks.append(run.now_s))
        assert len(run.outcomes) == len(arrivals_s)
        assert run.failures == []
        assert run.cpu_seconds_used > 0
        assert not [child for child in processes._children if child.running]
        once_the_pods_run = [o for o in run.outcomes if o.scheduled_s >= 2.0]
        later.append(Counter((o.code, o.variant) for o in once_the_pods_run))
    assert len(ticks) > 10


@pytest.mark.process
async def test_a_real_server_is_forked_within_seconds(processes: Processes) -> None:
    async with started_fork_client(processes) as fork_client:
        async with running(fork_client.start, "glyph-1", variant_words("glyph-1"), 1000) as server:
            assert server.load_s < 5.0
            outcomes = await server.load.flood(0.3)
            assert {outcome.variant for outcome in outcomes if outcome.answered} == {"glyph-1"}
            assert server.child.cpu_seconds() > 0
        assert server.child.returncode == -9


@pytest.mark.process
async def test_a_fork_server_that_dies_takes_its_servers_along(processes: Processes) -> None:
    async with started_fork_client(processes) as fork_client:
        async with running(fork_client.start, "glyph-1", variant_words("glyph-1"), 1000) as server:
            await fork_client._child.end()
            assert await server.child._handle.wait() == -9
        with pytest.raises(OSError, match="fork-server"):
            await fork_client.start("late", ["infadapter-server"], 500)
