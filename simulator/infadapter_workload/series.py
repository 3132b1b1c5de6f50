"""The result of a format's reader: a number for each second, or unknown; and its start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from infadapter_workload.trace import MAX_SECONDS, Array, Trace, TraceError, per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The series of one file."""

    name: str
    form: str  # the detected format, in words
    rates: Array  # requests per second, NaN where nothing is known
    arrivals_s: Array | None = None
    began_s: int | None = None  # seconds since 1970, if the file says so
    counted: bool = False
    step_s: int = 1
    collected: bool = False  # a number per second from a collector, which may have been down
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> int:
        return len(self.rates)

    def trace(self, rates: Array, notes: Sequence[str] = ()) -> Trace:
        return Trace(
            name=self.name,
            rates=rates,
            arrivals_s=self.arrivals_s,
            counted=self.counted,
            notes=(*self.notes, *notes),
            form=self.form,
            began_s=self.began_s if len(rates) == self.seconds else None,
        )


def joined(parts: Sequence[Series]) -> Series:
    """
    Join files: each at its own time if all have one, else consecutively as given. Raises TraceError
    if two contain counts of the same time.
    """
    if len(parts) == 1:
        return parts[0]
    begun = [part.began_s for part in parts if part.began_s is not None]
    placed = len(begun) == len(parts)
    ordered = sorted(parts, key=lambda part: part.began_s or 0) if placed else list(parts)
    starts = [start - min(begun) for start in sorted(begun)] if placed else _one_by_one(parts)
    end_s = max(start + part.seconds for start, part in zip(starts, ordered, strict=True))
    if end_s > MAX_SECONDS:
        raise TraceError(f"The traces are longer than {MAX_SECONDS:,} s together: use --to.")
    together = _laid(ordered, starts, end_s)
    return replace(
        together,
        name=f"{ordered[0].name} and {len(parts) - 1} more",
        form=f"{len(parts)} files, {'by their times' if placed else 'one after the other'}: "
        + "; ".join(sorted({part.form for part in parts})),
        began_s=min(begun) if placed else None,
        notes=tuple(dict.fromkeys(note for part in ordered for note in part.notes)),
    )


def began(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _laid(parts: Sequence[Series], starts: Sequence[int], end_s: int) -> Series:
    if all(part.arrivals_s is not None for part in parts):
        times = np.concatenate(
            [start + _times(part) for start, part in zip(starts, parts, strict=True)]
        )
        times.sort()
        return replace(parts[0], rates=per_second(times, end_s), arrivals_s=times)
    rates = np.full(end_s, np.nan)
    for start, part in zip(starts, parts, strict=True):
        place = rates[start : start + part.seconds]
        both = ~np.isnan(place) & ~np.isnan(part.rates)
        if both.any() and not _of_requests(parts):
            raise TraceError(
                f"The traces overlap: {part.name} begins before the one before it ends."
            )
        place[:] = np.where(both, place + part.rates, np.where(np.isnan(place), part.rates, place))
    if _of_requests(parts):  # logs of requests: silence between their times means no request
        rates = np.nan_to_num(rates)
    return replace(
        parts[0],
        rates=rates,
        arrivals_s=None,
        counted=all(part.counted for part in parts),
        step_s=max(part.step_s for part in parts),
        collected=any(part.collected for part in parts),
    )


def _of_requests(parts: Sequence[Series]) -> bool:
    return not any(part.collected or part.step_s > 1 for part in parts)


def _times(part: Series) -> Array:
    assert part.arrivals_s is not None
    return part.arrivals_s


def _one_by_one(parts: Sequence[Series]) -> list[int]:
    ends = np.cumsum([part.seconds for part in parts])
    return [0, *(int(end) for end in ends[:-1])]
