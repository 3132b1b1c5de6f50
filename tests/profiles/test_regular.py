"""Files that somebody else put there: whole, bounded, and never waited for."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from infadapter_profiles.regular import regular_bytes


def put_fifo(path: Path) -> None:
    os.mkfifo(path)


def put_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # an address has 107 letters
        server.bind(path.name)


def put_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_terminal(path: Path) -> None:
    path.symlink_to("/dev/ptmx")


NO_FILES = pytest.mark.parametrize(
    "put", [put_fifo, put_socket, put_device, put_terminal, Path.mkdir]
)


@NO_FILES
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, put: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "it")
    with pytest.raises(OSError, match="it") as caught:
        regular_bytes(tmp_path / "it", 10)
    assert caught.value.strerror


@pytest.mark.parametrize(
    ("size", "most", "said"), [(2049, 2048, "2 KiB"), (2**20 + 1, 2**20, "1 MiB")]
)
def test_one_that_is_too_large_is_refused_with_its_bound(
    tmp_path: Path, size: int, most: int, said: str
) -> None:
    (tmp_path / "it").write_bytes(bytes(size))
    assert regular_bytes(tmp_path / "it", size) == bytes(size)
    with pytest.raises(OSError, match="it") as caught:
        regular_bytes(tmp_path / "it", most)
    assert caught.value.strerror == f"it is larger than {said}"
