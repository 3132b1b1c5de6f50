"""Entry point of `infadapter-worker`, light enough that an early Ctrl-C prints no traceback."""

import os
import signal
import sys

from infadapter_server.surroundings import complete_surroundings


def main() -> None:
    """Run the command; 130 if it was interrupted before it could handle that itself."""
    # As process 1 of a pod it would not be heard before somebody listens, and waited for in vain.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    complete_surroundings()
    try:
        from infadapter_server.ending import end_at_once
        from infadapter_server.executors.remote.command_line import command

        end_at_once(command())
    except KeyboardInterrupt:
        sys.exit(130)
