"""What a process may find missing when it starts: its standard streams, and the folder it is in."""

import os

__all__ = ["complete_surroundings"]

_STREAMS = 3


def complete_surroundings() -> None:
    """
    Before anything else is opened. A socket that takes the number of a stream that was closed gets
    what others write there, and libuv ends the process when it closes it. In a folder that has
    been removed neither a child can be started nor MKL find its libraries.
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
