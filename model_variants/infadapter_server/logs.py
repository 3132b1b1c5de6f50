"""
The log on standard error, with a rate limit for messages that clients cause.

A warning for each malformed request, or for each input on which a network fails, would fill a
node's disk at the clients' pace, and cost more than the refusal itself.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["RateLimit", "announce", "log_to_stderr"]

MOST, PERIOD_S = 20, 60.0
"""Warnings and errors per place in the code, and the period in seconds."""


@dataclass(slots=True)
class _Place:
    since_s: float
    passed: int = 0
    left_out: int = 0


@dataclass(slots=True)
class RateLimit:
    """
    A filter of a handler. The last record that passes says that others are omitted, and the first
    of a later period how many.
    """

    clock: Callable[[], float] = time.monotonic
    _places: dict[tuple[str, int], _Place] = field(default_factory=dict)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True  # what the server says of itself, at its own pace
        now_s = self.clock()
        key = record.pathname, record.lineno
        place = self._places.setdefault(key, _Place(now_s))
        if now_s - place.since_s >= PERIOD_S:
            self._places[key] = place = _Place(now_s, left_out=place.left_out)
        if place.passed >= MOST:
            place.left_out += 1
            return False
        place.passed += 1
        _add(record, place)
        return True


def _add(record: logging.LogRecord, place: _Place) -> None:
    """Append to the record what was omitted before, and that more will be."""
    said = [f"{place.left_out} more like it were left out"] if place.left_out else []
    said += [f"more like it are left out for {PERIOD_S:g} s"] if place.passed == MOST else []
    place.left_out = 0
    if said:
        record.msg, record.args = f"{record.getMessage()} ({'; '.join(said)})", ()


def log_to_stderr() -> None:
    """Configure logging for a process without any."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RateLimit().filter)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler]
    )


def announce(text: str) -> None:
    """Write a line for whoever started the process, who may have stopped reading."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is still to be written
        os.close(nowhere)
