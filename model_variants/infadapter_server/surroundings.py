"""What may be missing when a process starts: its standard streams, and its current folder."""

import os

__all__ = ["complete_surroundings"]

_STREAMS = 3


def complete_surroundings() -> None:
    """
    Repair them before anything else is opened. A socket that gets the number of a closed stream
    would receive what others write there, and libuv ends the process when it closes it. In a
    deleted folder no child can be started, and MKL does not find its libraries.
    """
    for number in range(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    try:
        os.getcwd()
    except OSError:
        os.chdir("/")
