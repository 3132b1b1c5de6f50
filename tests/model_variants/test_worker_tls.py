"""Mutual TLS between a controller and a worker, with certificates made for the test."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.executors.remote.tls import AUTHORITY, CERTIFICATE, KEY, Tls, read_tls
from tests.model_variants.executor_rig import Rig, eventually
from tests.model_variants.test_server_process import REAL, question, started
from tests.model_variants.test_worker_process import worker
from tests.patience import PATIENCE_S

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
NO_TLS = "it does not speak TLS: start it with --tls"
NAMES = "subjectAltName=IP:127.0.0.1"


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path) -> Path:
    folder.mkdir()
    files = ("-keyout", folder / "ca.key", "-out", folder / AUTHORITY)
    openssl("req", "-x509", *EC, "-subj", f"/CN={folder.name}", *files)
    return folder


def secret(folder: Path, of: Path, trusts: Path) -> Path:
    """A key and its certificate of one authority, beside the certificate of that it trusts."""
    folder.mkdir()
    request = folder / "request"
    openssl(
        "req", *EC, "-subj", "/CN=a", "-addext", NAMES, "-keyout", folder / KEY, "-out", request
    )
    signed = ("-CA", of / AUTHORITY, "-CAkey", of / "ca.key", "-copy_extensions", "copy")
    openssl("x509", "-req", "-in", request, *signed, "-out", folder / CERTIFICATE)
    (folder / AUTHORITY).write_bytes((trusts / AUTHORITY).read_bytes())
    return folder


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a worker and three controllers: `good`, one that `distrusts` it, and a `stranger`."""
    root = tmp_path_factory.mktemp("secrets")
    ours, theirs = authority(root / "ours"), authority(root / "theirs")
    for name in ("worker", "good"):
        secret(root / name, of=ours, trusts=ours)
    secret(root / "distrusts", of=ours, trusts=theirs)
    secret(root / "stranger", of=theirs, trusts=ours)
    return root


def reason(address: str, tls: Tls | None) -> str:
    """Why a controller does not come to drive that worker."""
    executor = RemoteExecutor("worker-0", address, tls=tls)
    rig = Rig(executor)
    lost = rig.lost()
    executor.stop(within_s=0)
    return lost


@pytest.mark.process
def test_a_server_and_a_worker_of_one_authority_answer_and_nobody_else_is_obeyed(
    secrets: Path,
) -> None:
    options = ("--host", "127.0.0.1", "--port", "0", "--tls", str(secrets / "worker"))
    with worker(*options) as (process, address):
        refused = f"worker-0 at {address} can't be reached: "
        distrusts, stranger = (read_tls(secrets / name) for name in ("distrusts", "stranger"))
        assert reason(address, distrusts).startswith(f"{refused}its certificate is not of ours")
        closes = f"{refused}it closes the connection: "
        assert reason(address, stranger) == f"{closes}compare our tls.crt with its ca.crt."
        assert reason(address, None).startswith(f"{closes}a worker with --tls wants a server")
        tls = ("--worker-tls", str(secrets / "good"), "--drain-seconds", "0")
        with started(*REAL, "--worker", address, *tls) as server:
            server.connection.request(
                "POST", "/v2/models/glyphs/infer", question((1, 1, 32, 32), 1024)
            )
            answer = server.connection.getresponse()
            assert answer.status == 200
            assert json.loads(answer.read())["outputs"][0]["shape"] == [1, 36]
            server.process.send_signal(signal.SIGTERM)
            assert server.end()[0] == 0
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
        assert log.count("driven by") == 1  # and not by one that was turned down


@pytest.mark.process
def test_a_server_whose_workers_turn_it_down_waits_says_why_once_and_ends_when_told(
    secrets: Path,
) -> None:
    with worker("--host", "127.0.0.1", "--port", "0") as (_, address):
        tls = ("--worker-tls", str(secrets / "good"), "--drain-seconds", "0")
        with started(*REAL, "--worker", address, *tls, ready=False) as server:
            assert server.process.stderr is not None
            said = server.process.stderr.readline()
            while NO_TLS not in said:
                said = server.process.stderr.readline()
            time.sleep(1.5)  # in which it is tried a few times
            assert (server.get("/v2/health/live"), server.get("/v2/health/ready")) == (200, 503)
            server.process.send_signal(signal.SIGTERM)
            code, errors = server.end()
    assert code == 0
    assert NO_TLS not in errors  # once more
    assert "Traceback" not in errors


@pytest.fixture
def attempts() -> Iterator[tuple[str, list[float]]]:
    """Something that speaks no TLS, and when it was connected to."""
    times: list[float] = []

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            times.append(time.monotonic())
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", times
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_who_is_turned_down_tries_again_ever_more_slowly(
    secrets: Path, attempts: tuple[str, list[float]]
) -> None:
    address, times = attempts
    tls = read_tls(secrets / "good")
    executor = RemoteExecutor("worker-0", address, tls=tls, first_delay_s=0.05, most_delay_s=0.4)
    began_s = time.monotonic()
    rig = Rig(executor)
    assert "it does not speak TLS" in rig.lost()
    assert eventually(lambda: len(times) >= 6)
    executor.stop(within_s=0)
    assert rig.lost() == "worker-0 was stopped."  # and why it was lost is said once
    assert times[5] - began_s >= 0.5  # 0.025, 0.05, 0.1, 0.2 and 0.2 at least


def test_a_secret_that_is_not_whole_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"tls\.key"):
        read_tls(tmp_path)
