"""From a time stamp for each request to a trace."""

from array import array

import numpy as np
import numpy.typing as npt

from infadapter_workload.formats.moments import SECOND_NS
from infadapter_workload.formats.stream import Line, Stream
from infadapter_workload.trace import MAX_SECONDS, Trace

MAX_STAMPS = 20_000_000
"""Of one file; they take 0.2 GB."""

WHOLE_SECONDS = "its time stamps are whole seconds: requests are spread within theirs"


class Stamps:
    """Collects when requests arrived; the second of the first one becomes second 0."""

    def __init__(self) -> None:
        self._moments_ns = array("q")

    @property
    def last_ns(self) -> int | None:
        return self._moments_ns[-1] if self._moments_ns else None

    def add(self, moment_ns: int, line: Line) -> None:
        if len(self._moments_ns) >= MAX_STAMPS:
            raise line.error(f"there are more than {MAX_STAMPS:,} requests")
        self._moments_ns.append(moment_ns)

    def trace(self, stream: Stream, what: str = "time stamps") -> Trace:
        """Sorted, with a note if they were not. Raises TraceError for none, or weeks of them."""
        if not self._moments_ns:
            raise stream.error(f"holds no {what}")
        moments = np.array(self._moments_ns, dtype=np.int64)
        fallen = int((np.diff(moments) < 0).sum())
        notes = [f"sorted: {fallen:,} of its requests began before the one above"] if fallen else []
        moments.sort()
        moments -= moments[0] // SECOND_NS * SECOND_NS
        if moments[-1] >= MAX_SECONDS * SECOND_NS:
            raise stream.error(f"is longer than {MAX_SECONDS:,} s")
        return _trace(stream.name, moments, notes)


def _trace(name: str, moments_ns: npt.NDArray[np.int64], notes: list[str]) -> Trace:
    whole = not (moments_ns % SECOND_NS).any()
    return Trace(
        name=name,
        rates=np.bincount(moments_ns // SECOND_NS).astype(np.float64),
        arrivals_s=None if whole else moments_ns / SECOND_NS,
        counted=True,
        notes=(*notes, *((WHOLE_SECONDS,) if whole else ())),
    )
