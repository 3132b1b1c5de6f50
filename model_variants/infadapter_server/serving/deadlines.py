"""
Deadlines of requests: durations from arrival, because clocks of different machines differ.

The header is set by the service's router or by the client; `parameters.timeout` is the Open
Inference Protocol's field in Triton's spelling. The shorter one applies, limited by the server's
maximum.
"""

import math
from dataclasses import dataclass

from infadapter_profiles import wire
from infadapter_server.serving.heads import number_in
from infadapter_server.serving.protocol import BadTensor

__all__ = ["Deadlines"]

_MS_PER_S, _US_PER_S = 1e3, 1e6
_LONGEST_NUMBER = 24


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The limits. `default_s` applies to requests without a deadline; None: the maximum."""

    longest_s: float = 10.0
    default_s: float | None = None

    def within(self, header: bytes | None, timeout_us: object) -> float:
        """Return the seconds according to both. Raises BadTensor."""
        return self.shorter(self.of(header), header, timeout_us)

    def of(self, header: bytes | None) -> float:
        """Return the seconds according to the header, or the default. Raises BadTensor."""
        if header is None:
            return self.longest_s if self.default_s is None else min(self.default_s, self.longest_s)
        return min(_milliseconds(header) / _MS_PER_S, self.longest_s)

    def shorter(self, within_s: float, header: bytes | None, timeout_us: object) -> float:
        """Apply `parameters.timeout` as well, which replaces the default. Raises BadTensor."""
        if timeout_us is None:
            return within_s
        whole = type(timeout_us) is int or (type(timeout_us) is str and timeout_us.isdecimal())
        given = int(str(timeout_us)[:_LONGEST_NUMBER]) if whole else 0
        if given <= 0:
            raise BadTensor(
                "The parameter timeout must be a whole number of microseconds above zero."
            )
        return min(given / _US_PER_S, self.longest_s if header is None else within_s)


def _milliseconds(header: bytes) -> float:
    given = number_in(header)
    if not 0 < given < math.inf:
        raise BadTensor(f"{wire.DEADLINE_HEADER} must be a number of milliseconds above zero.")
    return given
