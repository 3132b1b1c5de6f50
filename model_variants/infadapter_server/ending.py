"""End a process, also one without a command line."""

import logging
import os
import sys
from typing import NoReturn


def end_at_once(code: int) -> NoReturn:
    """
    End the process without shutting the interpreter down, which with torch takes half a second of
    CPU time (on a busy machine ten seconds) and helps nobody. Output that can't be written is a
    fault; a stream that was closed when the process started is None.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)
