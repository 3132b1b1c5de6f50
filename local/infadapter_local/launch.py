"""
What runs between fork and exec of every child process: run as a script, without the package.

It moves into its control group, so that not even its start escapes the limit, and asks the kernel
to end it when the parent dies: even a parent that is killed leaves nothing behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, group: str, command: list[str]) -> None:
    """Become `command`. `group` is a folder of the cgroup file system, or "-" for none."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)
    os.setsid()  # Ctrl-C reaches the parent alone, which then ends its children in order
    if group != "-":
        with open(f"{group}/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
