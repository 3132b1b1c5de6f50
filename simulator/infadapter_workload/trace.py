"""A request trace: how many requests arrive in each second, and when, if that is known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAX_SECONDS = 93 * 86_400
MAX_RPS = 1e6
"""Limits far above any real trace, so that damaged input cannot fill the memory."""

MAX_REQUESTS = 100_000_000
"""Their times take 0.8 GB."""


class TraceError(ValueError):
    """An unusable trace; the message is one sentence, with file and line if known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """
    Requests per second for each whole second. Arrays are copied and read-only. Raises TraceError
    for invalid rates or arrivals.
    """

    name: str
    rates: Array  # requests per second, of each second from 0 on
    arrivals_s: Array | None = None  # time stamps from the start of the trace, sorted
    counted: bool = False  # the rates are counts of requests, not rates to draw arrivals from
    notes: tuple[str, ...] = ()  # what was dropped or changed
    form: str = ""  # the detected format, in words
    began_s: int | None = None  # seconds since 1970, if known for every second

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", _frozen(self.rates))
        if self.arrivals_s is not None:
            object.__setattr__(self, "arrivals_s", _frozen(self.arrivals_s))
        problem = _problem(self)
        if problem:
            raise TraceError(f"The trace {self.name} {problem}.")

    @property
    def seconds(self) -> int:
        return len(self.rates)

    @property
    def requests(self) -> float:
        """The number of requests, expected if they are not counted."""
        return float(self.rates.sum())

    @property
    def mean_rps(self) -> float:
        return self.requests / self.seconds

    @property
    def peak_rps(self) -> float:
        """The rate of the busiest second."""
        return float(self.rates.max())


def described(trace: Trace) -> list[str]:
    """Return lines that describe the trace: its source, its size, and each note."""
    rather = "" if trace.counted else "about "
    return [
        f"Trace {trace.name}: {trace.form or 'as given'}",
        f"  {trace.seconds:,} s, {rather}{trace.requests:,.0f} requests, "
        f"mean {trace.mean_rps:,.4g} rps, peak {trace.peak_rps:,.4g} rps",
        *(f"  note: {note}" for note in trace.notes),
    ]


def per_second(arrivals_s: Array, seconds: int) -> Array:
    """Return the number of arrivals in each second."""
    counts = np.bincount(arrivals_s.astype(np.int64), minlength=seconds)
    return counts.astype(np.float64)


def _frozen(values: Array) -> Array:
    copy = np.array(values, dtype=np.float64)
    copy.setflags(write=False)
    return copy


def _problem(trace: Trace) -> str | None:
    rates = trace.rates
    if rates.ndim != 1 or not 0 < len(rates) <= MAX_SECONDS:
        return f"must last from 1 to {MAX_SECONDS:,} s"
    if not ((rates >= 0) & (rates <= MAX_RPS)).all():  # NaN fails both comparisons
        return f"must have rates from 0 to {MAX_RPS:,.0f} requests per second"
    if trace.counted and (rates % 1).any():
        return "is marked as counted, but has rates that are not whole numbers"
    arrivals = trace.arrivals_s
    return None if arrivals is None else _problem_of_arrivals(arrivals, rates)


def _problem_of_arrivals(arrivals: Array, rates: Array) -> str | None:
    if arrivals.ndim != 1 or not np.isfinite(arrivals).all() or (np.diff(arrivals) < 0).any():
        return "must have finite time stamps in ascending order"
    if len(arrivals) and not 0 <= arrivals[0] <= arrivals[-1] < len(rates):
        return f"has time stamps outside its {len(rates):,} s"
    if not np.array_equal(per_second(arrivals, len(rates)), rates):
        return "has time stamps that do not match its rates"
    return None
