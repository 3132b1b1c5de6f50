"""`infadapter-worker` as others meet it: a process with a port, signals and an exit code."""

import os
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
    os.mkfifo(tmp_path / "tls.key")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, code, sentence in (
            (["--host", "127.0.0.1", "--port", str(port)], 1, f"Cannot listen on 127.0.0.1:{port}"),
            (["--memory", "much"], 2, "'much' is no quantity"),
            (["--memory", "9"], 2, "9 is less than 1048576 bytes"),
            (["--models", str(tmp_path / "none")], 2, "does not exist"),
            (["--tls", str(tmp_path)], 2, "tls.key: it is no regular file"),
        ):
            monkeypatch.setattr(sys, "argv", ["infadapter-worker", *arguments])
            assert command() == code
            said = capsys.readouterr().err
            assert said.startswith("infadapter-worker: ")
            assert sentence in said
            assert said.count("\n") == 1
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, []), "who goes on can be stopped"


STOPPED = """
import hashlib, os, signal, sys, time
from infadapter_server.executors.remote import command_line

def stop():
    os.kill(os.getpid(), signal.SIGTERM)

def load(_):
    {load}

class Model:
    weights_bytes = 0
    def use_threads(self, threads): pass
    def __call__(self, batch):
        if batch.any():
            stop()
            time.sleep({computes_s})
        return batch[:, 0, 0, :]

def prepare():
    {prepare}
    return load

command_line.FINISH_S = {finish_s}
command_line.torch_opener = prepare
sys.argv[1:] = ["--host", "127.0.0.1", "--port", "0"]
sys.exit(command_line.command())
"""
NEVER_S = 1e6


@contextmanager
def stopped(
    load: str = "return Model()",
    prepare: str = "",
    computes_s: float = 0,
    finish_s: float = NEVER_S,
) -> Iterator[subprocess.Popen[str]]:
    """A worker that is told to stop by what it does itself."""
    code = STOPPED.format(load=load, prepare=prepare, computes_s=computes_s, finish_s=finish_s)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def driven(process: subprocess.Popen[str]) -> Iterator[Rig]:
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("listening on ").strip()
    rig = Rig(RemoteExecutor("worker-0", address))
    rig.ready()
    try:
        yield rig
    finally:
        rig.executor.stop(within_s=0)


@pytest.mark.parametrize(
    "load",
    [
        "stop(); time.sleep(600)",
        "stop(); hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",  # lets no handler run
    ],
)
def test_nobody_waits_for_the_load_that_a_worker_does_when_it_is_told_to_stop(load: str) -> None:
    with stopped(load) as process, driven(process) as rig:
        rig.submit(LoadModel(GLYPH, 0.0, LATER))
        assert process.wait(PATIENCE_S) == 0
        rig.lost()


def test_nobody_waits_for_the_imports_of_a_worker_that_is_told_to_stop() -> None:
    with stopped(prepare="stop(); time.sleep(600)") as process:
        assert process.wait(PATIENCE_S) == 0


GIVEN = (np.ones((1, 1, 32, 32), np.float32),)
LOADED = replace(GLYPH, signature=replace(GLYPH.signature, output_shape=(32,)))


def test_an_inference_is_answered_by_a_worker_that_is_told_to_stop_meanwhile() -> None:
    with stopped(computes_s=0.3) as process, driven(process) as rig:
        rig.submit(LoadModel(LOADED, 0.0, LATER))
        assert rig.loaded().outcome is Outcome.DONE
        rig.submit(Infer(1, GLYPH.name, GIVEN, 0.0, LATER))
        assert rig.inferred().outcome is Outcome.DONE
        assert process.wait(PATIENCE_S) == 0
        rig.lost()


def test_an_inference_that_hangs_when_a_worker_is_told_to_stop_is_a_fault() -> None:
    with stopped(computes_s=600, finish_s=0.2) as process, driven(process) as rig:
        rig.submit(LoadModel(LOADED, 0.0, LATER))
        assert rig.loaded().outcome is Outcome.DONE
        rig.submit(Infer(1, GLYPH.name, GIVEN, 0.0, LATER))
        assert process.wait(PATIENCE_S) == 1
