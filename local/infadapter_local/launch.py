"""
What a child process does first: also run as a script, without the package, between fork and exec.

It moves into its control group, so that not even its start escapes the limit, and asks the kernel
to end it when the parent dies: even a parent that is killed leaves nothing behind.
"""

import ctypes
import os
import signal
import sys

NO_GROUP = "-"
_PR_SET_PDEATHSIG = 1


def enter(parent: int, group: str, core: int | None) -> None:
    """Bind this process to its parent, and to a folder of the cgroup file system or to a core."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)
    os.setsid()  # Ctrl-C reaches the parent alone, which then ends its children in order
    if group != NO_GROUP:
        with open(f"{group}/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))
    if core is not None:
        os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    enter(int(sys.argv[1]), sys.argv[2], None if sys.argv[3] == "-" else int(sys.argv[3]))
    os.execvp(sys.argv[4], sys.argv[4:])
