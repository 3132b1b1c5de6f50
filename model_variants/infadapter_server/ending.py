"""The end of a process, for those also that have no command line."""

import logging
import os
import sys
from typing import NoReturn


def end_at_once(code: int) -> NoReturn:
    """
    End the process without taking its interpreter down: with torch that needs half a second of CPU
    time, on a busy machine ten seconds, in which nothing is done for anybody. What can't be written
    is a fault; a stream that was closed when the process started is None.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)
