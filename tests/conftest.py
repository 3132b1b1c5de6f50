"""What all tests share."""

import os
import signal

# A shell that starts its jobs in the background has them ignore Ctrl-C, and children inherit that;
# those that are started here are interrupted by the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Read once, when torch and BLAS are imported: with a thread per core, two workers wait for each
# other in loops that take the CPU from both. What the tests start decides for itself again.
_GIVEN_THREADS = os.environ.get("OMP_NUM_THREADS")
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_finish() -> None:
    """Give back the environment: by now, the tests' imports have made their threads."""
    if _GIVEN_THREADS is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    else:
        os.environ["OMP_NUM_THREADS"] = _GIVEN_THREADS
