import errno
import os
import stat
from pathlib import Path

import pytest

from infadapter_profiles.whole import replacing


def test_a_file_is_there_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with replacing(path) as beside:
        beside.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_what_was_there_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match=r"page\.html") as caught:
        _fail_halfway(path, full)
    assert caught.value.filename == str(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_fault_with_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "page.html"):
        Path("/absent/table.csv").read_text()
    assert caught.value.filename == "/absent/table.csv"


def test_a_device_or_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(pipe) as beside:
            beside.write_text("all")
        assert os.read(reader, 10) == b"all"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("behind")
    with replacing(link) as beside:
        beside.write_text("all")
    assert link.is_symlink()
    assert (tmp_path / "behind").read_text() == "all"


def _fail_halfway(path: Path, error: OSError) -> None:
    with replacing(path) as beside:
        beside.write_text("half")
        raise error
