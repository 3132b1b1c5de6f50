"""The local cluster, on real processes of a tiny server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import aiohttp
import pytest

from infadapter_local.cluster import LocalCluster
from infadapter_local.pods import LocalPods
from infadapter_local.processes import Child, Processes
from infadapter_operator.domain.observed import Cause, Observed
from infadapter_operator.domain.ports import StepRefused
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_solver.problem import Allocation, PodSize, Target
from tests.patience import PATIENCE_S

Held = Callable[[], AbstractContextManager[None]]
SMALL, LARGE = Target("glyph-1"), Target("glyph-5")


def size(millicores: int) -> Allocation:
    return Allocation(size=PodSize(resources={"cpu": millicores}), capacity_rps=100.0)


@pytest.fixture
async def cluster(
    processes: Processes,
    tiny_server: Callable[[Target, PodSize, int], list[str]],
    session: aiohttp.ClientSession,
) -> AsyncIterator[LocalCluster]:
    cluster = LocalCluster(LocalPods(processes.start, tiny_server, session))
    yield cluster
    await cluster.pods.stop()


async def until(
    cluster: LocalCluster, condition: Callable[[Observed], bool], at_s: float = 1.0
) -> Observed:
    async with asyncio.timeout(PATIENCE_S):
        while not condition(observed := await cluster.observe(at_s)):  # noqa: ASYNC110  # of other processes
            await asyncio.sleep(0.05)
    return observed


def ready(pods: int) -> Callable[[Observed], bool]:
    return lambda observed: sum(pod.ready for pod in observed.pods) == pods


async def test_pods_start_and_become_ready_at_their_address(
    cluster: LocalCluster, held: Held
) -> None:
    with held():
        await cluster.take(ScaleUp(target=SMALL, size=size(1000).size, pods=2))
        first = await cluster.observe(7.0)
    assert [pod.ready for pod in first.pods] == [False, False]
    assert first.desired_pods == {SMALL: 2}
    observed = await until(cluster, ready(2))
    assert len({pod.address for pod in observed.pods}) == 2
    assert {pod.resources["cpu"] for pod in observed.pods} == {1000}


async def test_scaling_up_to_what_is_there_starts_nothing(cluster: LocalCluster) -> None:
    for _ in range(2):
        await cluster.take(ScaleUp(target=SMALL, size=size(1000).size, pods=1))
    assert len((await cluster.observe(1.0)).pods) == 1


async def test_a_resize_is_in_force_at_once_and_restarts_nothing(cluster: LocalCluster) -> None:
    await cluster.take(ScaleUp(target=SMALL, size=size(1000).size, pods=1))
    (pod,) = (await until(cluster, ready(1))).pods
    await cluster.take(ResizePod(pod=pod.name, target=SMALL, size=size(300).size))
    (resized,) = (await cluster.observe(2.0)).pods
    assert (resized.name, resized.address) == (pod.name, pod.address)
    assert resized.resources == resized.wanted.resources == {"cpu": 300}
    assert cluster.pods.millicores_held() == {"glyph-1": 300}


async def test_a_resize_of_what_is_not_there_is_refused(cluster: LocalCluster) -> None:
    with pytest.raises(StepRefused, match="no pod glyph-9"):
        await cluster.take(ResizePod(pod="glyph-9", target=SMALL, size=size(300).size))


async def test_a_removed_pod_leaves_and_holds_its_cores_until_it_is_gone(
    cluster: LocalCluster, held: Held
) -> None:
    await cluster.take(ScaleUp(target=SMALL, size=size(1000).size, pods=2))
    observed = await until(cluster, ready(2))
    gone = observed.pods[0].name
    with held():
        await cluster.take(RemovePods(target=SMALL, pods=(gone,), remaining=1))
        observed = await cluster.observe(2.0)
        assert [(pod.name == gone, pod.leaving) for pod in observed.pods] == [
            (True, True),
            (False, False),
        ]
        assert observed.desired_pods == {SMALL: 1}
        assert cluster.pods.millicores_held() == {"glyph-1": 2000}
    await until(cluster, lambda seen: len(seen.pods) == 1)
    assert cluster.pods.millicores_held() == {"glyph-1": 1000}
    assert cluster.pods.failures == []


async def test_a_pod_that_dies_is_gone_and_named(cluster: LocalCluster) -> None:
    await cluster.take(ScaleUp(target=LARGE, size=size(1000).size, pods=1))
    await until(cluster, ready(1))
    (pid,) = [pod.child.pid for pod in cluster.pods.all()]
    os.kill(pid, signal.SIGKILL)
    await until(cluster, lambda seen: not seen.pods)
    assert "glyph-5-1 ended (-9)" in cluster.pods.failures[0]
    assert cluster.pods.cpu_seconds() > 0


async def test_a_server_that_ends_within_its_start_is_told_until_one_is_ready(
    processes: Processes,
    tiny_server: Callable[[Target, PodSize, int], list[str]],
    session: aiohttp.ClientSession,
) -> None:
    broken = True

    def command(target: Target, size: PodSize, port: int) -> list[str]:
        return ["sh", "-c", "exit 3"] if broken else tiny_server(target, size, port)

    cluster = LocalCluster(LocalPods(processes.start, command, session))
    start = ScaleUp(target=SMALL, size=size(1000).size, pods=1)
    for at_s in (1.0, 2.0):
        await cluster.take(start)
        observed = await until(cluster, lambda seen: not seen.pods, at_s)
    crash = observed.refusals[SMALL]
    assert (crash.cause, crash.since_s) == (Cause.CRASH, 1.0)
    assert "exit code 3" in crash.message
    broken = False
    await cluster.take(start)
    assert (await until(cluster, ready(1))).refusals == {}
    await cluster.pods.stop()


async def test_a_server_that_dies_after_it_was_ready_is_no_start_that_failed(
    cluster: LocalCluster,
) -> None:
    await cluster.take(ScaleUp(target=SMALL, size=size(1000).size, pods=1))
    await until(cluster, ready(1))
    (pid,) = [pod.child.pid for pod in cluster.pods.all()]
    os.kill(pid, signal.SIGKILL)
    assert (await until(cluster, lambda seen: not seen.pods)).refusals == {}


async def test_replacing_removes_the_old_pod_when_the_new_one_is_ready(
    cluster: LocalCluster, held: Held
) -> None:
    await cluster.take(ScaleUp(target=SMALL, size=size(1000).size, pods=1))
    (old,) = (await until(cluster, ready(1))).pods
    with held():
        await cluster.take(ReplacePods(target=SMALL, size=size(300).size, pods=1))
        seen = await cluster.observe(1.0)
        assert old.name in {pod.name for pod in seen.pods if not pod.leaving}
    observed = await until(cluster, lambda seen: len(seen.pods) == 1 and seen.pods[0].ready)
    assert observed.pods[0].name != old.name
    assert observed.pods[0].resources == {"cpu": 300}


async def test_a_roll_ends_with_a_new_server_that_crashes_and_the_old_ones_stay(
    processes: Processes,
    tiny_server: Callable[[Target, PodSize, int], list[str]],
    session: aiohttp.ClientSession,
) -> None:
    """The next roll is the loop's to ask for, when it has left the target for long enough."""
    broken = False

    def command(target: Target, size: PodSize, port: int) -> list[str]:
        return ["sh", "-c", "exit 3"] if broken else tiny_server(target, size, port)

    pods = LocalPods(processes.start, command, session)
    cluster = LocalCluster(pods)
    await cluster.take(ScaleUp(target=SMALL, size=size(300).size, pods=2))
    before = await until(cluster, ready(2))
    broken = True
    roll = ReplacePods(target=SMALL, size=size(400).size, pods=2)
    await cluster.take(roll)
    observed = await until(cluster, lambda seen: bool(seen.refusals))
    assert observed.refusals[SMALL].cause is Cause.CRASH
    assert (observed.rolling, observed.desired_pods) == (frozenset(), {SMALL: 2})
    names = {pod.name for pod in before.pods}
    assert {pod.name for pod in (await until(cluster, ready(2))).pods} == names
    assert (await cluster.observe(3.0)).refusals, "old ones that are Ready say nothing of new ones"
    broken = False
    await cluster.take(roll)
    seen = await until(cluster, lambda seen: len(seen.pods) == 2 and not seen.rolling)
    assert names.isdisjoint(pod.name for pod in seen.pods)
    assert seen.refusals == {}
    await pods.stop()


async def test_a_server_that_dies_within_a_roll_does_not_end_it(cluster: LocalCluster) -> None:
    await cluster.take(ScaleUp(target=SMALL, size=size(300).size, pods=2))
    await until(cluster, ready(2))
    await cluster.take(ReplacePods(target=SMALL, size=size(400).size, pods=2))
    os.kill(cluster.pods.all()[0].child.pid, signal.SIGKILL)
    seen = await until(cluster, lambda seen: len(seen.pods) == 2 and not seen.rolling)
    assert [pod.resources for pod in seen.pods] == [{"cpu": 400}] * 2
    assert seen.desired_pods == {SMALL: 2}


async def test_what_cannot_be_started_is_refused_and_not_wanted_any_more(
    processes: Processes,
    tiny_server: Callable[[Target, PodSize, int], list[str]],
    session: aiohttp.ClientSession,
) -> None:
    async def start(name: str, command: list[str], millicores: int) -> Child:
        if name.endswith("-2"):
            raise OSError("too many processes")
        return await processes.start(name, command, millicores)

    pods = LocalPods(start, tiny_server, session)
    cluster = LocalCluster(pods)
    with pytest.raises(StepRefused, match="glyph-1-2 could not be started: too many"):
        await cluster.take(ScaleUp(target=SMALL, size=size(300).size, pods=3))
    observed = await cluster.observe(1.0)
    assert (len(observed.pods), observed.desired_pods) == (1, {SMALL: 1})
    await pods.stop()
