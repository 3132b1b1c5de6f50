"""`infadapter demo`: what a user gets for bad input, and that nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main
from infadapter_local.cgroups import Cores
from infadapter_local.router import envoy_path
from tests.patience import PATIENCE_S

needs_envoy = pytest.mark.skipif(
    envoy_path() is None, reason="no envoy binary (extra `local` brings it)"
)


def demo(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["demo", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trace", "trace.csv"], "'many' is not a number of requests"),
        (["--trace", "no.csv"], "no.csv cannot be read: No such file or directory."),
        (["--trace", "synthetic:waves"], "There is no synthetic trace 'waves'"),
        (["--trace", "empty.csv"], "holds no numbers"),
        (["--duration", "5"], "is not in the range"),
        (["--scale", "0"], "is not in the range"),
        (["--budget", "nothing"], "is not a valid float"),
        (["--seed", "-1"], "is not in the range"),
        (["--trace", "idle.csv"], "holds no requests"),
        (["--scale", "1e300"], "5,000,000 requests, not"),
        (["--scale", "1e-9"], "no request in 60 s"),
        (["--budget", "nan"], "'nan' is no number"),
        (["--budget", "inf"], "is not in the range"),
        (["--duration", "nan"], "'nan' is no number"),
        (["--duration", "inf"], "is not in the range"),
        (["--speed", "0.05"], "is not in the range"),
        (["--speed", "5"], "is not in the range"),
        (["--speed", "nan"], "'nan' is no number"),
        (["--scale", "nan"], "'nan' is no number"),
        (["--scale", "inf"], "'inf' is no number"),
    ],
)
def test_bad_input_is_answered_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text("10\nmany\n")
    Path("empty.csv").write_text("")
    Path("idle.csv").write_text("0\n0\n")
    said = demo(*arguments)
    assert said.exit_code == 2
    assert words in said.output
    assert said.output.startswith("infadapter: ")
    assert said.output.count("\n") == 1
    assert not Path("demo-report").exists()


def test_another_speed_needs_cpu_quotas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("infadapter_local.demo.cpu_limits", lambda speed: Cores())
    said = demo("--speed", "0.5")
    assert said.exit_code == 1
    assert "played by CPU quotas, which this user may not set" in said.output
    assert not Path("demo-report").exists()


@needs_envoy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.process
def test_an_interrupted_demo_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "infadapter", "demo", "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        children = children_with_a_server(process.pid)
        process.send_signal(number)
        assert process.stdout is not None
        assert "Interrupted; all processes have ended" in process.stdout.read()
    assert process.returncode == 130
    assert are_gone(children)
    assert not (tmp_path / "report.html").exists()


def children_with_a_server(pid: int) -> list[int]:
    """Wait until a server that is being measured has been forked."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        found = descendants(pid)
        if len(found) >= 2:
            return found
        time.sleep(0.05)
    raise AssertionError("no server has been forked")


def are_gone(pids: list[int]) -> bool:
    """What was killed stays in the table until whoever adopted it has waited for it."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def descendants(pid: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return [each for each in found if each != os.getpid()][1:]
