"""
A precise alarm: the event loop's own timers are a millisecond too coarse.

Linux has timers as file descriptors, which wake the loop within tens of microseconds. With
asyncio.sleep the 99th percentile of the sending error never fell below 1 ms at any rate; with a
timerfd it stays below that up to thousands of requests a second (benchmarks/loadgen_precision.py).
"""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from typing import Protocol

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1


class Alarm(Protocol):
    def ring_at(self, when_s: float) -> None:
        """
        Fire once at a time of `time.monotonic`, at once if it is past; replaces the last time.
        """

    def close(self) -> None: ...


def make_alarm(ring: Callable[[], None]) -> Alarm:
    """Return the most precise alarm available, for the running event loop."""
    try:
        return TimerfdAlarm(ring)
    except (AttributeError, OSError, NotImplementedError):  # not Linux, or a loop without readers
        return LoopAlarm(ring)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerfdAlarm:
    """Fires by a CLOCK_MONOTONIC timerfd, through ctypes (Python has it only from 3.13 on)."""

    def __init__(self, ring: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._fd = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop.add_reader(self._fd, self._readable)

    def ring_at(self, when_s: float) -> None:
        nanoseconds = max(1, int(when_s * 1e9))  # 0 would disarm it
        value = _Timespec(*divmod(nanoseconds, 1_000_000_000))
        setting = _Itimerspec(_Timespec(0, 0), value)
        self._settime(self._fd, _ABSOLUTE, ctypes.byref(setting), None)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _readable(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # set anew between the wake-up and now
        self._ring()


class LoopAlarm:
    """Fires by the event loop's own timer, up to some milliseconds late."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def ring_at(self, when_s: float) -> None:
        self.close()
        delay_s = max(0.0, when_s - time.monotonic())
        self._handle = self._loop.call_later(delay_s, self._ring)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
