"""What all tests share."""

import os
import signal

import pytest

# A shell that starts its jobs in the background has them ignore Ctrl-C, and children inherit that;
# those that are started here are interrupted by the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

THREADS = "OMP_NUM_THREADS"  # read once, when torch and BLAS are imported
GIVEN = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    """
    One thread in this process: with one per core, two workers wait for each other in loops that
    take the CPU from both. Who only hands out tests leaves the workers their environment.
    """
    if config.getoption("dist", "no") == "no":
        config.stash[GIVEN] = os.environ.get(THREADS)
        os.environ[THREADS] = "1"


def pytest_collection_finish(session: pytest.Session) -> None:
    """The modules under test are imported; what the tests start decides for itself again."""
    given = session.config.stash.get(GIVEN, None)
    if given is not None:
        os.environ[THREADS] = given
    elif GIVEN in session.config.stash:
        del os.environ[THREADS]
