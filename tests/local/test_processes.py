"""Whatever happens to the parent, no process and no control group stays behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from infadapter_local.cgroups import Cores, Quotas, cpu_limits
from infadapter_local.groups import Group
from infadapter_local.processes import Processes
from tests.patience import PATIENCE_S

LIMITS = cpu_limits()
needs_quotas = pytest.mark.skipif(
    not isinstance(LIMITS, Quotas), reason="this user may not make control groups"
)
BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint('on', flush=True)\ntime.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


async def test_a_process_ends_with_the_context(tmp_path: Path) -> None:
    async with Processes(LIMITS, tmp_path) as processes:
        child = await processes.start("sleeper", ["sleep", "60"], millicores=500)
        assert child.running
    assert not child.running


async def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    async with Processes(LIMITS, tmp_path) as processes:
        code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('on', flush=True)"
        child = await processes.start("stubborn", python(f"{code}\ntime.sleep(60)"))
        await until_it_says(processes, "stubborn", "on")
        await child.end(grace_s=0.2)
        assert child.returncode == -signal.SIGKILL


async def test_what_a_process_says_is_in_its_log_which_failures_name(tmp_path: Path) -> None:
    async with Processes(LIMITS, tmp_path) as processes:
        child = await processes.start("mute", python("raise SystemExit('no such model')"))
        await until(lambda: not child.running)
        assert child.returncode == 1
        assert str(child.failure("ended")) == f"mute ended; its log is {tmp_path / 'mute.log'}."
    assert "no such model" in (tmp_path / "mute.log").read_text()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # another process makes it true
            await asyncio.sleep(0.02)


async def until_it_says(processes: Processes, name: str, word: str) -> None:
    await until(lambda: word in processes.log(name).read_text())


async def test_cpu_time_is_known_after_the_end(tmp_path: Path) -> None:
    async with Processes(LIMITS, tmp_path) as processes:
        child = await processes.start("busy", python(BURN))
        await until_it_says(processes, "busy", "on")
        used_s = child.cpu_seconds()
        await child.end()
        assert used_s == child.cpu_seconds() > 0.1


@needs_quotas
@pytest.mark.process
async def test_a_quota_holds_and_can_be_changed_while_the_process_runs(tmp_path: Path) -> None:
    async with Processes(LIMITS, tmp_path) as processes:
        code = "print('on', flush=True)\nwhile True: pass"
        child = await processes.start("busy", python(code), millicores=200)
        await until_it_says(processes, "busy", "on")
        await uses(child.cpu_seconds, more_than=0.1, less_than=0.35)
        child.set_quota(600)
        await uses(child.cpu_seconds, more_than=0.4, less_than=0.8)


async def uses(cpu_seconds: object, *, more_than: float, less_than: float) -> None:
    """Never more than its quota, and as much of it as others leave: on a busy machine later."""
    async with asyncio.timeout(PATIENCE_S):
        while (used := await cores_used(cpu_seconds)) <= more_than:
            pass
    assert used < less_than


async def cores_used(cpu_seconds: object) -> float:
    """Never too many, wherever this process stands still: the clock is read first and last."""
    assert callable(cpu_seconds)
    began_s, before_s = time.monotonic(), cpu_seconds()
    await asyncio.sleep(1.0)
    used_s = float(cpu_seconds() - before_s)
    return used_s / (time.monotonic() - began_s)


@needs_quotas
async def test_control_groups_are_removed(tmp_path: Path) -> None:
    assert isinstance(LIMITS, Quotas)
    async with Processes(LIMITS, tmp_path) as processes:
        await processes.start("sleeper", ["sleep", "60"], millicores=500)
        assert list(LIMITS.parent.glob(f"infadapter-{os.getpid()}-*"))
    assert not list(LIMITS.parent.glob(f"infadapter-{os.getpid()}-*"))


async def test_without_control_groups_each_process_has_a_core_of_its_own(tmp_path: Path) -> None:
    cores = Cores()
    async with Processes(cores, tmp_path) as processes:
        code = "import os\nprint(*os.sched_getaffinity(0))"
        children = [
            await processes.start(f"pinned-{number}", python(code), millicores=1000)
            for number in range(2)
        ]
        for child in children:
            await until(lambda child=child: not child.running)  # type: ignore[misc]
        cores_seen = {processes.log(child.name).read_text() for child in children}
        assert len(cores_seen) == min(2, len(os.sched_getaffinity(0)))
        assert not cores.resizable
        with pytest.raises(OSError, match="no CPU quotas"):
            children[0].set_quota(500)


def test_a_quota_is_written_in_both_versions(tmp_path: Path) -> None:
    for folder, files in (("v1", ("cpu.cfs_period_us", "cpu.cfs_quota_us")), ("v2", ("cpu.max",))):
        (tmp_path / folder).mkdir()
        for file in files:
            (tmp_path / folder / file).write_text("")
        Group(tmp_path / folder).set_quota(300)
    assert (tmp_path / "v1" / "cpu.cfs_quota_us").read_text() == "30000"
    assert (tmp_path / "v1" / "cpu.cfs_period_us").read_text() == "100000"
    assert (tmp_path / "v2" / "cpu.max").read_text() == "30000 100000"


@pytest.mark.parametrize(("version", "file"), [("v1", "cpu.cfs_quota_us"), ("v2", "cpu.max")])
def test_a_slower_core_is_a_group_around_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, file: str
) -> None:
    make = Path.mkdir

    def as_the_kernel_does(folder: Path) -> None:
        make(folder)
        (folder / file).write_text("")
        (folder / "cgroup.subtree_control").write_text("")

    monkeypatch.setattr(Path, "mkdir", as_the_kernel_does)
    group = Quotas(tmp_path, 0.35).group(200)
    period = {"v1": "", "v2": " 10000"}[version], {"v1": "", "v2": " 100000"}[version]
    assert (group.top / file).read_text() == "3500" + period[0]
    assert (group.folder / file).read_text() == "7000" + period[1]
    assert (group.top / "cgroup.subtree_control").read_text() == "+cpu"


@needs_quotas
@pytest.mark.process
async def test_a_slower_core_runs_for_a_part_of_every_moment(tmp_path: Path) -> None:
    limits = cpu_limits(speed=0.3)
    assert isinstance(limits, Quotas)
    async with Processes(limits, tmp_path) as processes:
        code = "print('on', flush=True)\nwhile True: pass"
        child = await processes.start("busy", python(code), millicores=1000)
        await until_it_says(processes, "busy", "on")
        await uses(child.cpu_seconds, more_than=0.2, less_than=0.35)
        child.set_quota(300)
        await uses(child.cpu_seconds, more_than=0.05, less_than=0.15)
    assert not list(limits.parent.glob(f"infadapter-{os.getpid()}-*"))


def test_a_pod_takes_no_more_than_a_core_however_fast_cores_are(tmp_path: Path) -> None:
    sizes = (100, 400, 500, 600, 1000)
    assert [size for size in sizes if Quotas(tmp_path, 2.0).has(size)] == [100, 400, 500]
    assert [size for size in sizes if Quotas(tmp_path, 0.2).has(size)] == list(sizes)
    assert [size for size in sizes if Cores().has(size)] == [1000]


def test_a_machine_without_control_groups_is_pinned(tmp_path: Path) -> None:
    assert isinstance(cpu_limits(tmp_path), Cores)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from infadapter_local.cgroups import cpu_limits\n"
        "from infadapter_local.processes import Processes\n"
        "async def main():\n"
        "    async with Processes(cpu_limits(), Path(sys.argv[1])) as processes:\n"
        "        child = await processes.start('sleeper', ['sleep', '60'], millicores=500)\n"
        "        print(child.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, str(parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        os.kill(child, 0)  # it is there
        process.send_signal(number)
        process.wait(PATIENCE_S)
    assert gone(child)
    for group in left_by(process.pid):
        with suppress(FileNotFoundError):  # a demo that starts meanwhile sweeps it up
            group.rmdir()


def gone(pid: int) -> bool:
    """Ended, reaped or not: who adopts an orphan takes its time to reap it."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def left_by(pid: int) -> list[Path]:
    """A killed parent cannot remove its empty groups."""
    return list(LIMITS.parent.glob(f"infadapter-{pid}-*")) if isinstance(LIMITS, Quotas) else []
