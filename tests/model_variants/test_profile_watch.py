"""What is noticed beside a measurement, kept between two runs, and said of a server."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infadapter_profiles.profile import KnownCapacity, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.loadgen.bodies import BodyError
from infadapter_server.profiling.batches import batch_size, check_known
from infadapter_server.profiling.disturbance import Reading, busy, foreign, once_each
from infadapter_server.profiling.labelled import answered_class, measure_accuracy, read_labelled
from infadapter_server.profiling.measuring import hasty, moved, noisy
from infadapter_server.profiling.processes import (
    MachineTimes,
    cpu_s,
    family,
    forget,
    listening_process,
    machine_times,
    mapped_files,
    peak_bytes,
)
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.steps import Goal, Step
from tests.patience import PATIENCE_S

GOAL = Goal(slo_s=0.03, percentile=99, epsilon=0.01)
STEP = Step(goal=GOAL, rate_rps=100, seconds=10, warm_up_s=1, seed=0)


def reading(
    at_s: float, *, arrivals: float | None = None, busy_s: float = 0, stolen_s: float = 0
) -> Reading:
    times = MachineTimes(busy_s=busy_s, stolen_s=stolen_s)
    return Reading(at_s=at_s, arrivals=arrivals, machine=times, ours_s=at_s)


@pytest.mark.parametrize(("more", "said"), [(0, False), (5, False), (30, True), (6_000, True)])
def test_requests_that_we_did_not_send_are_somebody_elses(more: int, said: bool) -> None:
    clause = foreign(reading(0, arrivals=7), reading(10, arrivals=1_007 + more), 1_000)
    assert (clause is not None) is said
    if more == 6_000:
        assert clause == "somebody else sent the server 600 requests/s while it was measured"


def test_a_server_that_counts_nothing_can_not_tell() -> None:
    assert foreign(reading(0), reading(10), 1_000) is None
    assert foreign(reading(0, arrivals=3), reading(10), 1_000) is None


def test_cpu_that_neither_server_nor_generator_used_is_others() -> None:
    before = reading(0)
    assert busy(before, reading(10, busy_s=10.5), cores=2) is None
    clause = busy(before, reading(10, busy_s=16), cores=2)
    assert clause == "other programs used 30% of the machine's CPU"
    assert busy(before, reading(10, busy_s=16), cores=16) is None
    assert busy(before, reading(0.1, busy_s=1), cores=2) is None  # the ticks are too coarse
    assert busy(replace(before, machine=None), reading(10, busy_s=19), cores=2) is None


def test_stolen_cpu_is_the_hypervisors() -> None:
    clause = busy(reading(0), reading(10, busy_s=10, stolen_s=2), cores=2)
    assert clause == "the hypervisor took 10% of the machine's CPU for its other guests"


def test_of_clauses_that_differ_in_their_numbers_one_stays() -> None:
    assert once_each(["took 5 %", "it rained", "took 17.5 %"]) == ["took 5 %", "it rained"]


def test_the_kernel_is_read_for_this_very_process() -> None:
    first, began_s = machine_times(), cpu_s({os.getpid()})
    assert first is not None
    until_s = time.process_time() + 0.1
    while time.process_time() < until_s:
        pass
    last = machine_times()
    assert last is not None
    assert cpu_s({os.getpid()}) - began_s >= 0.08
    assert last.busy_s - first.busy_s >= 0.08
    assert (peak_bytes({os.getpid()}) or 0) > 2**20
    assert any("python" in str(path) for path in mapped_files({os.getpid()}))
    assert cpu_s({2**22 + 1}) == 0
    assert peak_bytes({2**22 + 1}) is None


def test_a_server_is_found_by_its_port_and_its_children_by_their_parent() -> None:
    server = (
        "import socket, subprocess\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "shell = ['sh', '-c', 'sleep 600 & wait']\n"
        "c = subprocess.Popen(shell, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
        "print(s.getsockname()[1], flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        assert listening_process(port) == running.pid
        until_s = time.monotonic() + PATIENCE_S
        while len(family(running.pid)) < 3 and time.monotonic() < until_s:
            time.sleep(0.01)
        others = family(running.pid) - {running.pid}
        assert len(others) == 2  # the shell and what it has started
        for each in others:
            os.kill(each, signal.SIGKILL)
        running.communicate("\n")
    assert listening_process(port) is None


def test_files_are_forgotten_without_being_changed(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"w" * 8_192)
    forget({file, tmp_path / "absent"})
    assert file.read_bytes() == b"w" * 8_192


def test_a_batch_limit_is_held_against_what_was_run() -> None:
    ran = {1: 10.0, 2: 20.0, 4: 30.0, 8: 40.0, 16: 40.0}
    assert batch_size(None, ran, None) == 8
    assert batch_size(8, ran, None) == 8
    assert batch_size(6, ran, None) == 6  # its bound is that of 8
    for wrong in (1, 4, 16):
        with pytest.raises(ProfileError, match=f"up to 8 images at once, .* {wrong}:"):
            batch_size(wrong, ran, None)
    alone = {1: 40.0, 2: 40.0}
    assert batch_size(None, alone, None) == batch_size(1, alone, None) == 1
    with pytest.raises(ProfileError, match="up to 1 images"):
        batch_size(4, alone, None)


def test_a_batch_limit_that_nothing_shows_is_refused() -> None:
    assert batch_size(None, {}, None) == batch_size(1, {}, None) == 1
    with pytest.raises(ProfileError, match="--batch-size 4 would be a guess"):
        check_known(4, {}, None)
    check_known(4, {1: 0.0}, None)
    check_known(4, {}, 8)
    assert batch_size(None, {}, 8) == 8
    with pytest.raises(ProfileError, match="limit is 8, not 4"):
        batch_size(4, {}, 8)


def known(rps: float, low: float, high: float) -> KnownCapacity:
    return KnownCapacity(latency_s=0.05, percentile=99, rps=rps, low_rps=low, high_rps=high)


def test_a_wide_interval_says_how_much_longer_it_takes() -> None:
    assert noisy(known(100, 90, 115), 0.0) is None
    said = str(noisy(known(100, 60, 140), 0.02))
    assert "known to 40% only, too wide to plan with: take 4 times as long" in said
    assert noisy(known(0, 0, 0), None) is None


def test_an_interval_that_is_wide_by_the_machine_says_so() -> None:
    said = str(noisy(known(100, 60, 140), 0.3))
    assert said.endswith(
        "is known to 40% only, too wide to plan with: as this machine's speed drifts, the next run "
        "may be 1.35 times as fast, or as slow. Take a quieter machine, or several minutes."
    )
    assert "is not known, too wide to plan with" in str(noisy(known(100, 10, 1000), 2.0))


def test_a_time_too_short_for_queues_as_long_as_the_slo_is_said() -> None:
    assert hasty(known(250, 240, 260), 300, 60) is None
    said = str(hasty(known(250, 240, 260), 300, 5))
    assert "5 s are short for 50 ms, in which this server answers 15 requests" in said
    assert said.endswith("Take 22 s for this SLO.")


def test_a_capacity_outside_of_an_earlier_interval_is_said() -> None:
    size = PodSize(resources={"cpu": 1000})
    before = ProfiledAllocation(size=size, capacity=(known(100, 90, 110),))
    assert moved(known(108, 90, 120), before) is None
    assert "was 100 requests/s (90 to 110)" in str(moved(known(80, 70, 90), before))
    assert moved(known(80, 70, 90), None) is None


def write_labelled(path: Path, images: object, labels: object) -> Path:
    np.savez(path, images=np.asarray(images), labels=np.asarray(labels))
    return path


async def test_accuracy_is_the_share_of_right_answers(tmp_path: Path) -> None:
    images = np.arange(4, dtype=np.float32)[:, None]
    labelled = read_labelled(write_labelled(tmp_path / "set.npz", images, [0, 1, 1, 1]))

    def ask(body: bytes) -> bytes:
        (value,) = json.loads(body)["inputs"][0]["data"]
        scores = [0.0, 0.0, 0.0, 0.0]
        scores[int(value)] = 1.0
        return json.dumps({"outputs": [{"data": scores}]}).encode()

    measured = await measure_accuracy(labelled, ask, "x")
    assert (measured.share, measured.error) == (0.5, 0.25)


def test_a_class_is_the_answer_or_the_highest_score() -> None:
    assert answered_class(b'{"outputs": [{"data": [0.1, 0.7, 0.2]}]}') == 1
    assert answered_class(b'{"outputs": [{"data": [7]}]}') == 7
    for wrong in (b"no", b"{}", b'{"outputs": []}', b'{"outputs": [{"data": ["a", "b"]}]}'):
        with pytest.raises(BodyError, match="no output that names a class"):
            answered_class(wrong)


def test_a_labelled_set_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", pixels=np.zeros(3))
    write_labelled(tmp_path / "uneven.npz", np.zeros((3, 2)), [1, 2])
    for name in ("absent", "text", "other", "uneven"):
        with pytest.raises(BodyError, match=f"{name}.npz must "):
            read_labelled(tmp_path / f"{name}.npz")
