"""A process that ends at once: without its interpreter's end, whatever its streams are."""

import os
import subprocess
import sys

import pytest

_ENDS = """
import threading, time
from infadapter_server.exit_code import end_at_once
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
