"""`infadapter-worker` as others meet it: a process with a port, signals and an exit code."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infadapter_server.executors.messages import Infer, LoadModel, Outcome
from infadapter_server.executors.remote.command_line import command
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.networks.stored import Format, Stored
from tests.model_variants.executor_rig import Rig
from tests.model_variants.fake_models import LATER
from tests.patience import PATIENCE_S

GLYPH = Stored(
    name="glyph-1-07",
    version="1",
    format=Format.VARIANT,
    signature=SIGNATURES["glyph-1"],
    variant="glyph-1",
    batch_sizes=(1, 2),
)


@contextmanager
def worker(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = (sys.executable, "-m", "infadapter_server.executors.remote", *arguments)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process, line.removeprefix("listening on ").strip()
        finally:
            process.kill()


@pytest.mark.process
def test_a_real_network_is_loaded_computes_and_the_worker_ends_when_it_is_told() -> None:
    with worker("--host", "127.0.0.1", "--port", "0", "--memory", "1Gi") as (process, address):
        rig = Rig(RemoteExecutor("worker-0", address))
        assert rig.ready().memory_bytes == 2**30
        rig.submit(LoadModel(GLYPH, 0.0, LATER))
        loaded = rig.loaded()
        assert loaded.outcome is Outcome.DONE
        assert loaded.weights_bytes > 50_000
        rows = (np.zeros((1, 1, 32, 32), np.float32), np.ones((1, 1, 32, 32), np.float32))
        rig.submit(Infer(1, "glyph-1-07", rows, 0.0, LATER))
        report = rig.inferred()
        assert report.outputs is not None
        assert report.outputs.shape == (2, 36)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "driven by" in log
        assert "loaded glyph-1-07" in log
        assert "Traceback" not in log
        assert "worker-0 at" in rig.lost()
        rig.executor.stop(within_s=0)


@pytest.mark.process
def test_one_that_is_stuck_ends_and_says_so() -> None:
    many = replace(GLYPH, batch_sizes=(20_000,))  # which takes a core for many seconds
    with worker("--host", "127.0.0.1", "--port", "0", "--stuck-seconds", "0.3") as started:
        process, address = started
        rig = Rig(RemoteExecutor("worker-0", address))
        rig.ready()
        rig.submit(LoadModel(many, 0.0, LATER))
        _, log = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert "An order has not ended for 0.3 s" in log
        rig.lost()
        rig.executor.stop(within_s=0)


def test_a_port_that_is_taken_and_bad_options_are_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, code, sentence in (
            (["--host", "127.0.0.1", "--port", str(port)], 1, f"Cannot listen on 127.0.0.1:{port}"),
            (["--memory", "much"], 2, "'much' is no quantity"),
            (["--memory", "9"], 2, "9 is less than 1048576 bytes"),
            (["--models", str(tmp_path / "none")], 2, "does not exist"),
        ):
            monkeypatch.setattr(sys, "argv", ["infadapter-worker", *arguments])
            assert command() == code
            said = capsys.readouterr().err
            assert said.startswith("infadapter-worker: ")
            assert sentence in said
            assert said.count("\n") == 1


STOPPED_WHILE_IT_LOADS = """
import os, signal, sys, time
from infadapter_server.executors.remote import command_line

def load(_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(600)

command_line.FINISH_S = 0.2
command_line.torch_opener = lambda: load
sys.argv[1:] = ["--host", "127.0.0.1", "--port", "0"]
sys.exit(command_line.command())
"""


def test_one_that_is_told_to_stop_while_it_loads_ends_without_a_fault() -> None:
    command = [sys.executable, "-c", STOPPED_WHILE_IT_LOADS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("listening on ").strip()
        rig = Rig(RemoteExecutor("worker-0", address))
        rig.ready()
        rig.submit(LoadModel(GLYPH, 0.0, LATER))
        assert process.wait(PATIENCE_S) == 0
        rig.lost()
        rig.executor.stop(within_s=0)
