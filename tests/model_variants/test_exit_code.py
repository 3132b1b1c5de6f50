"""A process that ends at once: without its interpreter's end, whatever its streams are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ENDS = """
import threading, time
from infadapter_server.ending import end_at_once
threading.Thread(target=time.sleep, args=(60,)).start()
print("said")
end_at_once({code})
"""


def ended(code: int, redirected: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "sh",
            "-c",
            f'exec "$@" {redirected}',
            "sh",
            sys.executable,
            "-c",
            _ENDS.format(code=code),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )


@pytest.mark.parametrize("code", [0, 3])
def test_it_waits_for_no_thread_and_all_is_said(code: int) -> None:
    process = ended(code, "")
    assert (process.returncode, process.stdout, process.stderr) == (code, "said\n", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_streams_that_were_closed_are_no_fault(closed: str) -> None:
    process = ended(0, closed)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(("code", "ends_with"), [(0, 1), (3, 3)])
def test_on_a_full_disk_it_is_a_fault_and_waits_for_no_thread_either(
    code: int, ends_with: int
) -> None:
    assert ended(code, ">/dev/full").returncode == ends_with


_STARTS = """
import os
{before}
from infadapter_server.surroundings import complete_surroundings
complete_surroundings()
opened = os.open("/dev/zero", os.O_RDONLY)
os._exit(0 if opened > 2 and os.getcwd() == {folder!r} else 1)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-", "<&- 2>&-"])
def test_nothing_takes_the_place_of_a_stream_that_was_closed(closed: str) -> None:
    assert _started(closed, "", os.getcwd()) == 0


def test_who_is_in_a_folder_that_was_removed_goes_elsewhere(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    before = f"os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
    assert _started("", before, "/") == 0


def _started(closed: str, before: str, folder: str) -> int:
    code = _STARTS.format(before=before, folder=folder)
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", code]
    return subprocess.run(command, check=False, timeout=30).returncode


def test_who_has_read_enough_of_the_announcements_ends_nothing() -> None:
    code = """
from infadapter_server.ending import end_at_once
from infadapter_server.logs import announce
announce("first")
input()
announce("second")
print("third")
end_at_once(0)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"first\n"
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.wait(timeout=30) == 0
