"""Mutual TLS between a controller and a worker, with certificates made for the test."""

import subprocess
from pathlib import Path

import pytest

from infadapter_server.executors.remote.disk import Disk
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.executors.remote.service import Service, listen, serve
from infadapter_server.executors.remote.tls import AUTHORITY, CERTIFICATE, KEY, Tls, read_tls
from infadapter_server.executors.remote.worker import Worker
from tests.model_variants.executor_rig import Rig
from tests.model_variants.fake_models import open_fake


def secret(folder: Path) -> Tls:
    """A key with a certificate that is its own authority."""
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ["-subj", "/CN=worker", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / KEY), "-out", str(folder / CERTIFICATE)]
    subprocess.run([*command, *names, *files, "-nodes"], check=True, capture_output=True)
    (folder / AUTHORITY).write_bytes((folder / CERTIFICATE).read_bytes())
    return read_tls(folder)


def test_only_who_has_a_certificate_of_the_authority_is_obeyed(tmp_path: Path) -> None:
    ours, theirs = secret(tmp_path / "ours"), secret(tmp_path / "theirs")
    server, port = listen("127.0.0.1", 0, ours)
    serve(server, Service("worker-0", Worker(open_fake), Disk(None)))
    rigs = [
        Rig(RemoteExecutor("worker-0", f"127.0.0.1:{port}", tls=tls))
        for tls in (ours, theirs, None)
    ]
    assert rigs[0].ready()
    assert [rig.lost().startswith("worker-0 at") for rig in rigs[1:]] == [True, True]
    for rig in rigs:
        rig.executor.stop(within_s=0)
    server.stop(None).wait()


def test_a_secret_that_is_not_whole_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"tls\.key"):
        read_tls(tmp_path)
