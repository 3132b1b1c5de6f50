"""A child process as an executor: what dies with it, and what never stays behind."""

import errno
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from infadapter_server.executors.handover import MOST_LOADS, MOST_WAITING
from infadapter_server.executors.messages import Infer, LoadModel, Outcome, UnloadModel, UseThreads
from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.restarting import Restarting
from infadapter_server.executors.slots import slot_bytes_for
from tests.model_variants.executor_rig import Rig, computes, eventually, outputs
from tests.model_variants.fake_models import (
    DIE,
    HANG,
    LATER,
    LINGER,
    RAISE,
    SWELL,
    prepare,
    prepare_for_ever,
    prepare_slowly,
    prepare_what_ends_slowly,
    stored,
)
from tests.patience import PATIENCE_S


def executor(
    slots: int = 2, threads: int = 1, cpus: frozenset[int] | None = None
) -> ProcessExecutor:
    size = slot_bytes_for([stored()])
    return ProcessExecutor(
        "executor-0", prepare, slot_bytes=size, slots=slots, threads=threads, cpus=cpus
    )


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(executor())
    rig.ready()
    assert rig.load().outcome is Outcome.DONE
    yield rig
    rig.executor.stop(within_s=0)


def pid(rig: Rig) -> int:
    assert isinstance(rig.executor, ProcessExecutor)
    assert rig.executor.pid is not None
    return rig.executor.pid


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@contextmanager
def standing_still(rig: Rig) -> Iterator[None]:
    """What is ordered meanwhile is there, all of it, before any of it is done."""
    os.kill(pid(rig), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid(rig), signal.SIGCONT)


def test_rows_go_there_and_outputs_come_back_by_shared_memory(rig: Rig) -> None:
    rig.infer(1, 3.0, 4.0)
    report = rig.inferred()
    assert outputs(report) == [[6.0, 6.0], [8.0, 8.0]]
    assert report.begin_s <= report.end_s <= time.monotonic()


def test_outputs_stay_what_they_were_when_their_slot_is_used_again(rig: Rig) -> None:
    rig.infer(1, 3.0)
    first = rig.inferred()
    for run in range(2, 6):
        rig.infer(run, 7.0)
        rig.inferred()
    assert outputs(first) == [[6.0, 6.0]]


def test_what_finds_no_slot_waits_in_order_of_its_earliest(rig: Rig) -> None:
    with standing_still(rig):
        rig.infer(1, 1.0)
        rig.infer(2, 2.0)
        rig.infer(3, 3.0, earliest_s=2.0)
        rig.infer(4, 4.0, earliest_s=1.0)
    assert [rig.inferred().run for _ in range(4)] == [1, 2, 4, 3]


def test_too_many_that_wait_are_refused_with_a_sentence(rig: Rig) -> None:
    with standing_still(rig):
        for run in range(MOST_WAITING + 3):
            rig.infer(run, 1.0)
        report = rig.inferred()
    assert (report.run, report.outcome) == (MOST_WAITING + 2, Outcome.FAILED)
    assert report.error == "executor-0 has 64 batches to do already."
    assert [rig.inferred().run for _ in range(MOST_WAITING + 2)] == list(range(MOST_WAITING + 2))


def test_the_window_is_kept_in_the_child(rig: Rig) -> None:
    earliest_s = time.monotonic() + 0.2
    rig.infer(1, 1.0, latest_s=time.monotonic() - 0.01)
    rig.infer(2, 1.0, earliest_s=earliest_s)
    first, second = rig.inferred(), rig.inferred()
    assert first.outcome is Outcome.TOO_LATE
    assert second.begin_s >= earliest_s


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((np.zeros((3, 2), np.float32),), "The inputs are of the shape [3, 2]"),
        ((np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32)), "different shapes"),
        ((), "different shapes"),
    ],
)
def test_inputs_that_fit_no_slot_are_reported(
    rig: Rig, rows: tuple[np.ndarray, ...], sentence: str
) -> None:
    rig.submit(Infer(1, "doubler", rows, 0.0, LATER))
    report = rig.inferred()
    assert report.outcome is Outcome.FAILED
    assert sentence in report.error


@pytest.mark.parametrize(("row", "sentence"), [(RAISE, "negative"), (SWELL, "[1, 10000]")])
def test_a_model_that_misbehaves_is_reported_and_the_next_is_served(
    rig: Rig, row: float, sentence: str
) -> None:
    rig.infer(1, row)
    rig.infer(2, 1.0)
    failed = rig.inferred()
    assert failed.outcome is Outcome.FAILED
    assert sentence in failed.error
    assert outputs(rig.inferred()) == [[2.0, 2.0]]


def test_models_are_loaded_unloaded_and_broken_ones_say_why(rig: Rig) -> None:
    broken = rig.load("other", "broken")
    assert (broken.outcome, broken.error) == (Outcome.FAILED, "The file is for another network.")
    rig.submit(UnloadModel("doubler"))
    rig.infer(1, 1.0)
    assert rig.inferred().error == "doubler is not loaded."


def test_a_killed_child_is_lost_with_a_reason_and_starts_again(rig: Rig) -> None:
    rig.infer(1, DIE)
    rig.infer(2, 1.0)
    assert rig.lost() == "executor-0 was killed by SIGKILL."
    rig.infer(3, 1.0)
    # The second one too, if the child was gone before it was ordered.
    refused = next(report for report in iter(rig.inferred, None) if report.run == 3)
    assert (refused.run, refused.error) == (3, "executor-0 has no process.")
    rig.executor.start(rig.reports.put)
    rig.ready()
    rig.load()
    rig.infer(4, 1.0)
    assert outputs(rig.inferred()) == [[2.0, 2.0]]


def test_what_is_ordered_while_it_still_prepares_is_done_then() -> None:
    rig = Rig(ProcessExecutor("executor-0", prepare_slowly, slot_bytes=64))
    rig.submit(LoadModel(stored(), 0.0, LATER))
    rig.infer(1, 1.0)
    rig.ready()
    rig.loaded()
    assert outputs(rig.inferred()) == [[2.0, 2.0]]
    assert rig.executor.stop(within_s=PATIENCE_S)


def test_nothing_is_left_open_after_a_life() -> None:
    def live() -> None:
        rig = Rig(executor())
        rig.ready()
        rig.load()
        rig.infer(1, 1.0)
        rig.inferred()
        assert rig.executor.stop(within_s=PATIENCE_S)
        assert rig.lost() == "executor-0 was stopped."

    def descriptors() -> set[str]:
        """Where they lead: of what other tests have left, some is closed meanwhile."""
        gc.collect()
        found = set()
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        return found

    live()
    before = descriptors()
    live()
    assert descriptors() - before == set()


@pytest.mark.process
def test_a_supervisor_starts_it_again_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(Restarting(executor(), first_delay_s=0.01, most_delay_s=0.02))
    for _ in range(2):
        rig.ready()
        rig.load()
        rig.infer(1, DIE)
        assert rig.lost() == "executor-0 was killed by SIGKILL."
    rig.ready()
    assert rig.executor.stop(within_s=PATIENCE_S)
    assert rig.lost() == "executor-0 was stopped."
    assert rig.silent(0.1)
    assert caplog.text.count("It is started again in 0.0 s.") == 2


def test_it_ends_after_the_order_that_is_being_done(rig: Rig) -> None:
    rig.infer(1, LINGER)
    assert eventually(lambda: computes(pid(rig)))
    assert rig.executor.stop(within_s=PATIENCE_S)
    assert rig.inferred().outcome is Outcome.DONE
    assert rig.lost() == "executor-0 was stopped."


def test_its_interpreter_is_not_taken_down_when_it_ends() -> None:
    rig = Rig(ProcessExecutor("executor-0", prepare_what_ends_slowly, slot_bytes=64))
    rig.ready()
    assert rig.executor.stop(within_s=PATIENCE_S)
    assert rig.lost() == "executor-0 was stopped."


def test_one_that_hangs_is_given_up_for_sure(rig: Rig) -> None:
    child = pid(rig)
    rig.infer(1, HANG)
    assert eventually(lambda: computes(child))
    assert not rig.executor.stop(within_s=0.05)
    assert not alive(child)
    assert rig.lost() == "executor-0 was stopped."


def test_one_that_still_prepares_is_stopped_at_once() -> None:
    rig = Rig(ProcessExecutor("executor-0", prepare_for_ever, slot_bytes=64))
    assert rig.executor.stop(within_s=PATIENCE_S)
    assert rig.lost() == "executor-0 was stopped."


def test_one_that_hangs_is_lost_when_it_is_abandoned_and_started_again() -> None:
    rig = Rig(Restarting(executor(), first_delay_s=0.01, most_delay_s=0.02))
    rig.ready()
    rig.load()
    rig.infer(1, HANG)
    rig.executor.abandon()
    assert rig.lost() == "executor-0 was killed by SIGKILL."
    rig.ready()
    assert rig.executor.stop(within_s=PATIENCE_S)


def test_one_that_cant_be_started_again_is_tried_until_it_can(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(Restarting(executor(), first_delay_s=0.05, most_delay_s=0.05))
    rig.ready()
    with monkeypatch.context() as patched:
        patched.setattr(os, "memfd_create", out_of_memory)
        rig.executor.abandon()
        rig.lost()
        assert eventually(lambda: "executor-0 can't be started" in caplog.text)
    rig.ready()
    assert rig.executor.stop(within_s=PATIENCE_S)


def out_of_memory(*_: object) -> int:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def test_one_that_is_stopped_by_a_signal_is_killed(rig: Rig) -> None:
    child = pid(rig)
    os.kill(child, signal.SIGSTOP)
    assert not rig.executor.stop(within_s=0.05)
    assert not alive(child)


def test_threads_cores_and_openmp_are_those_that_were_wanted() -> None:
    core = min(os.sched_getaffinity(0))
    rig = Rig(executor(threads=2, cpus=frozenset({core})))
    rig.ready()
    rig.load("facts", "facts")
    rig.infer(1, 1.0, model="facts")
    assert outputs(rig.inferred()) == [[pid(rig), 1, 1, 2]]
    assert Path(f"/proc/{pid(rig)}/comm").read_text() == "executor-0\n"
    rig.submit(UseThreads(3))
    rig.infer(2, 1.0, model="facts")
    assert outputs(rig.inferred())[0][3] == 3
    assert rig.executor.stop(within_s=PATIENCE_S)


PARENT = """
import sys, time
from tests.model_variants.executor_rig import Rig
from tests.model_variants.fake_models import HANG, prepare
from infadapter_server.executors.process import ProcessExecutor

if __name__ == "__main__":
    rig = Rig(ProcessExecutor("orphan", prepare, slot_bytes=4096))
    rig.ready()
    rig.load()
    rig.infer(1, HANG)
    print(rig.executor.pid, flush=True)
    time.sleep(60)
"""


def test_a_killed_parent_leaves_no_child_and_no_memory(tmp_path: Path) -> None:
    before = set(Path("/dev/shm").iterdir())
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, script], env=paths, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    assert eventually(lambda: not alive(child))
    assert set(Path("/dev/shm").iterdir()) <= before


def test_loads_are_bounded_as_well(rig: Rig) -> None:
    later_s = time.monotonic() + 60
    for _ in range(MOST_LOADS + 1):
        rig.submit(LoadModel(stored(), later_s, later_s))
    assert rig.loaded().error == "executor-0 has 256 loads to do already."
