"""
The first code of a child process; also run as a script, without the package, between fork and exec.

It enters its control group, so that even its start is limited, and asks the kernel to kill it when
the parent dies, so that a killed parent leaves no processes behind.
"""

import ctypes
import os
import signal
import sys

NO_GROUP = "-"
_PR_SET_PDEATHSIG = 1


def enter(parent: int, group: str, core: int | None) -> None:
    """Bind this process to its parent, and to a cgroup folder or a core."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the kernel was asked
        os._exit(1)
    os.setsid()  # only the parent gets Ctrl-C, and ends its children in order
    if group != NO_GROUP:
        with open(f"{group}/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))
    if core is not None:
        os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    enter(int(sys.argv[1]), sys.argv[2], None if sys.argv[3] == "-" else int(sys.argv[3]))
    os.execvp(sys.argv[4], sys.argv[4:])
