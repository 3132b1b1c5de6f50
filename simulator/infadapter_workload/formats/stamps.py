"""Turn one time stamp per request into a series."""

from array import array

import numpy as np
import numpy.typing as npt

from infadapter_workload.formats.dates import over_midnight
from infadapter_workload.formats.moments import SECOND_NS, SURE_S
from infadapter_workload.formats.stream import Line, Stream
from infadapter_workload.series import Series, began
from infadapter_workload.trace import MAX_SECONDS

MAX_STAMPS = 50_000_000
"""Largest number of time stamps in one file; they take 0.4 GB."""

WHOLE_SECONDS = "its time stamps are whole seconds: requests are spread within theirs"

LATE_NS = 3600 * SECOND_NS
"""
How long after its start a request may be logged; reading stops this long after the wanted part.
"""


class Stamps:
    """Collects the arrival times of requests. The second of the first one becomes second 0."""

    def __init__(self, to_s: int | None = None) -> None:
        self._moments_ns = array("q")
        self.daily = False  # times of day without a date
        self._until_ns = None if to_s is None else to_s * SECOND_NS
        self.notes: list[str] = []

    @property
    def last_ns(self) -> int | None:
        return self._moments_ns[-1] if self._moments_ns else None

    @property
    def count(self) -> int:
        return len(self._moments_ns)

    def add(self, moment_ns: int, line: Line) -> None:
        if len(self._moments_ns) >= MAX_STAMPS:
            raise line.error(
                f"there are more than {MAX_STAMPS:,} requests: cut it with --to SECOND"
            )
        self._moments_ns.append(moment_ns)

    def enough(self) -> bool:
        """Whether all requests of the wanted part must have been read by now."""
        if self._until_ns is None or not self._moments_ns:
            return False
        return self._moments_ns[-1] - self._moments_ns[0] > self._until_ns + LATE_NS

    def series(self, stream: Stream, form: str, what: str = "time stamps") -> Series:
        """
        Return the sorted series, with a note if it was not sorted. Raises TraceError if it is empty
        or too long.
        """
        if not self._moments_ns:
            raise stream.error(f"holds no {what}")
        moments = np.array(self._moments_ns, dtype=np.int64)
        moments = over_midnight(moments) if self.daily else moments
        notes = [*self.notes, *_order(moments)]
        moments.sort()
        first_s = int(moments[0] // SECOND_NS)
        moments -= first_s * SECOND_NS
        seconds = 0
        if self._until_ns is not None and moments[-1] >= self._until_ns:
            moments, seconds = moments[moments < self._until_ns], self._until_ns // SECOND_NS
        if len(moments) and moments[-1] >= MAX_SECONDS * SECOND_NS:
            raise stream.error(f"is longer than {MAX_SECONDS:,} s: cut it with --to SECOND")
        return _series(stream.name, form, moments, first_s, notes, seconds)


def _order(moments: npt.NDArray[np.int64]) -> list[str]:
    steps = np.diff(moments)
    fallen = int((steps < 0).sum())
    if not fallen:
        return []
    if (steps <= 0).all() and len(steps) > 1:
        return ["newest first: turned round"]
    return [f"sorted: {fallen:,} of its requests began before the one above"]


def _series(
    name: str,
    form: str,
    moments_ns: npt.NDArray[np.int64],
    first_s: int,
    notes: list[str],
    seconds: int,
) -> Series:
    whole = not (moments_ns % SECOND_NS).any()
    absolute = first_s > SURE_S[0]
    return Series(
        name=name,
        form=f"{form}, from {began(first_s)}" if absolute else form,
        rates=np.bincount(moments_ns // SECOND_NS, minlength=seconds).astype(np.float64),
        arrivals_s=None if whole else moments_ns / SECOND_NS,
        began_s=first_s if absolute else None,
        counted=True,
        notes=(*notes, *((WHOLE_SECONDS,) if whole else ())),
    )
