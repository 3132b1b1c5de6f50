"""
The kernel's safety buffer with a bound, as a real machine needs it.

What is promised for a share of 99.99 % is extrapolated from what was measured, and a single
execution that was interrupted for long can make it larger than every deadline. Then nothing would
be admitted, so nothing would be executed, and nothing ever learnt that could take it back.
"""

from dataclasses import dataclass

from infadapter_scheduler.buffer import SafetyBuffer

__all__ = ["BoundedBuffer"]

MOST = 0.5
"""Of the time until the completion that it protects: then two thirds of a deadline can be used."""


@dataclass(slots=True)
class BoundedBuffer(SafetyBuffer):
    def seconds(self, ahead_s: float, each_s: float) -> float:
        return min(SafetyBuffer.seconds(self, ahead_s, each_s), MOST * ahead_s)
