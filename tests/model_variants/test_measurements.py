"""What is remembered of loads, between starts and between machines."""

import json
import logging
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from infadapter_server.networks.adaptive.points import Point
from infadapter_server.serving.measurements import FILE, Measured, Measurements, machine

MEASURED = Measured(weights_bytes=1000, load_s=0.5, execution_s={1: 0.01, 8: 0.05})
SPENT = '{"here": {"m": {"stamp": "stamp", "weights_bytes": 1, "load_s": 1.0, "execution_s": %s}}}'
POINTS = (
    '{"here": {"m": {"stamp": "stamp", "weights_bytes": 1, "load_s": 1.0, '
    '"execution_s": {"1": 1.0}, "points": [%s]}}}'
)


def test_a_restart_knows_what_was_measured_of_the_same_file(tmp_path: Path) -> None:
    Measurements(tmp_path / FILE, "here").remember("m", "stamp", MEASURED)
    again = Measurements(tmp_path / FILE, "here")
    assert again.of("m", "stamp") == MEASURED
    assert again.of("m", "another stamp") is None
    assert again.of("n", "stamp") is None


def test_a_restart_knows_the_operating_points_and_what_each_took(tmp_path: Path) -> None:
    points = (Point("small", 0.8, {1: 0.01}), Point("large", 0.9, {1: 0.02, 8: 0.1}))
    measured = replace(MEASURED, points=points)
    Measurements(tmp_path / FILE, "here").remember("m", "stamp", measured)
    assert Measurements(tmp_path / FILE, "here").of("m", "stamp") == measured


@pytest.mark.parametrize("hold", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_of_measurements_is_ignored_and_nobody_waits_for_it(
    tmp_path: Path, hold: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    hold(tmp_path / FILE)
    caplog.set_level(logging.INFO)
    known = Measurements(tmp_path / FILE, "here")
    assert known.of("m", "stamp") is None
    assert "is ignored: [Errno 22] it is no regular file" in caplog.text
    known.remember("m", "stamp", MEASURED)
    assert known.of("m", "stamp") == MEASURED
    assert "isn't written: it is no regular file" in caplog.text
    assert not (tmp_path / FILE).is_file()


def test_seconds_of_another_machine_are_not_ours_and_stay(tmp_path: Path) -> None:
    Measurements(tmp_path / FILE, "here").remember("m", "stamp", MEASURED)
    there = Measurements(tmp_path / FILE, "there")
    assert there.of("m", "stamp") is None
    there.remember("m", "stamp", MEASURED)
    assert Measurements(tmp_path / FILE, "here").of("m", "stamp") == MEASURED
    assert [path.name for path in tmp_path.iterdir()] == [FILE]  # nothing half written


@pytest.mark.parametrize("where", [None, Path("/proc/nowhere") / FILE])
def test_without_a_place_to_write_they_last_as_long_as_the_process(where: Path | None) -> None:
    measurements = Measurements(where, "here")
    measurements.remember("m", "stamp", MEASURED)
    measurements.remember("n", "stamp", MEASURED)
    assert measurements.of("m", "stamp") == measurements.of("n", "stamp") == MEASURED


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        '{"here": 3}',
        '{"here": {"m": 3}}',
        '{"here": {"m": {"stamp": "stamp", "weights_bytes": 1, "load_s": -1.0, '
        '"execution_s": {}}}}',
        '{"here": {"m": {"stamp": "stamp", "weights_bytes": 1, "load_s": 1.0, '
        '"execution_s": {"a": 1.0}}}}',
        '{"here": {"m": {"stamp": "stamp", "weights_bytes": 1, "load_s": 1.0, '
        '"execution_s": {"1": NaN}}}}',
        *(SPENT % each for each in ("{}", '{"2": 1.0}', '{"1": 1.0, "0": 1.0}')),
        pytest.param(SPENT % f'{{"1": 1.0, "{"9" * 5_000}": 1.0}}', id="digits"),
        pytest.param("[" * 200_000, id="nested"),
        POINTS % '{"name": "p", "accuracy": 2, "execution_s": {"1": 1.0}}',
        POINTS % '{"name": "p", "accuracy": 1, "execution_s": {"2": 1.0}}',
        POINTS % ", ".join(['{"name": "p", "accuracy": 1, "execution_s": {"1": 1.0}}'] * 2),
        POINTS % '{"name": "p"}',
        POINTS % "3",
    ],
)
def test_a_file_that_somebody_spoilt_is_as_none(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(content)
    with caplog.at_level(logging.WARNING):
        measurements = Measurements(tmp_path / FILE, "here")
    assert measurements.of("m", "stamp") is None
    measurements.remember("m", "stamp", MEASURED)
    assert "m" in json.loads((tmp_path / FILE).read_text())["here"]


def test_a_full_disk_leaves_nothing_beside_what_was_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Measurements(tmp_path / FILE, "here").remember("m", "stamp", MEASURED)
    known = Measurements(tmp_path / FILE, "here")
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, most))
    try:
        with caplog.at_level(logging.INFO):
            known.remember("n", "stamp", MEASURED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    assert "isn't written: File too large" in caplog.text
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]
    assert Measurements(tmp_path / FILE, "here").of("m", "stamp") == MEASURED


def test_the_machine_is_its_processor_and_the_threads_that_compute(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Fast One\nmodel name\t: x"
    )
    assert machine(2, tmp_path) == "Fast One, 2 threads"
    assert machine(2, tmp_path / "proc") == "unknown processor, 2 threads"
