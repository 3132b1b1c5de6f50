"""Models without torch, for executors in other processes, which import them from here by name."""

import atexit
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from infadapter_server.executors.opening import Opener
from infadapter_server.networks.signatures import Floats, LoadError, Model, Signature
from infadapter_server.networks.stored import Format, Stored
from tests.patience import PATIENCE_S

LATER = 1e9


class Scripted:
    """Returns twice its input, unless the first number selects a misbehaviour."""

    weights_bytes = 8

    def __call__(self, batch: Floats) -> Floats:
        match batch.flat[0]:
            case -1:
                raise ArithmeticError("negative")
            case -2:
                os.kill(os.getpid(), signal.SIGKILL)
            case -3:
                tell_that_it_computes()
                time.sleep(600)
            case -4:
                return np.zeros((len(batch), 10_000), np.float32)
            case -5:
                tell_that_it_computes()
                time.sleep(0.1)
            case -6:
                assert MAY_END.wait(PATIENCE_S)
        return batch * 2

    def use_threads(self, threads: int) -> None:
        os.environ["THREADS_USED"] = str(threads)


HANGS_LOADING = "hangs"
RAISE, DIE, HANG, SWELL, LINGER, HOLD = -1.0, -2.0, -3.0, -4.0, -5.0, -6.0
MAY_END = threading.Event()
"""Ends HOLD; only for executors in this process."""


def tell_that_it_computes() -> None:
    """Signal it by the name of this process, which other processes can read."""
    Path("/proc/self/comm").write_text("computing")


class Facts(Scripted):
    """Returns facts of its process: pid, OMP_NUM_THREADS, number of cores, threads used."""

    def __call__(self, batch: Floats) -> Floats:
        told = (os.environ["OMP_NUM_THREADS"], os.environ.get("THREADS_USED", "0"))
        cores = len(os.sched_getaffinity(0))
        return np.array([[os.getpid(), int(told[0]), cores, int(told[1])]] * len(batch), np.float32)


def open_fake(stored: Stored) -> Model:
    if stored.variant == "broken":
        raise LoadError("The file is for another network.")
    if stored.variant == HANGS_LOADING:
        tell_that_it_computes()
        time.sleep(600)
    return Facts() if stored.variant == "facts" else Scripted()


def prepare() -> Opener:
    return open_fake


def prepare_slowly() -> Opener:
    """Prepare as slowly as importing torch."""
    time.sleep(0.3)
    return open_fake


def prepare_for_ever() -> Opener:
    time.sleep(600)
    return open_fake


def prepare_what_ends_slowly() -> Opener:
    """Exit slowly, as an interpreter with torch does on a busy machine."""
    atexit.register(time.sleep, 600)
    return open_fake


def stored(name: str = "doubler", variant: str = "scripted") -> Stored:
    return Stored(
        name=name,
        version="1",
        format=Format.VARIANT,
        signature=Signature(input_shape=(2,), output_shape=(2,)),
        variant=variant,
        batch_sizes=(1, 2),
    )
