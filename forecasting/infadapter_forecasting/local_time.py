"""
Local time: a zone's offset from UTC and its changes, as numbers.

People follow their clocks, so the day or week after which a load repeats is one of local time. Over
a clock change it is an hour longer or shorter in seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from infadapter_forecasting.forecaster import Seconds

HOUR_S, DAY_S = 3_600, 86_400


class UnknownZone(ValueError):
    """Not a zone of the IANA database; the message contains an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTime:
    """The clocks of one zone for some time; the first offset applies before the first change."""

    offsets_s: tuple[int, ...] = (0,)  # east of UTC
    changes_s: tuple[int, ...] = ()  # since 1970

    def season_ago(self, at_s: Seconds, season_s: int) -> Seconds:
        """
        Return when these clocks showed the same one season earlier, in Unix seconds.

        As in PEP 495, of an ambiguous hour the first counts, and a skipped time is read with the
        offset before it.
        """
        changes, offsets = np.array(self.changes_s, dtype=np.intp), np.array(self.offsets_s)
        then = at_s - season_s + offsets[np.searchsorted(changes, at_s, side="right")]
        shown = changes + np.maximum(offsets[:-1], offsets[1:])
        found: Seconds = then - offsets[np.searchsorted(shown, then, side="right")]
        return found


UTC = LocalTime()


def is_zone(name: str) -> bool:
    try:
        _zone(name)
    except UnknownZone:
        return False
    return True


def local_time(name: str, from_s: int, until_s: int) -> LocalTime:
    """Return the zone's clocks between these two times. Raises UnknownZone."""
    zone = _zone(name)
    changes = tuple(_changes(zone, from_s, until_s))
    offsets = (_offset_s(zone, from_s), *(_offset_s(zone, change_s) for change_s in changes))
    return LocalTime(offsets_s=offsets, changes_s=changes)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no such name, no name, a folder
        raise UnknownZone(
            f"{name!r} is no time zone of the IANA database: write one such as Europe/Berlin"
        ) from None


def _changes(zone: ZoneInfo, from_s: int, until_s: int) -> Iterator[int]:
    """Yield the first seconds of new offsets; no zone changes its clocks twice within an hour."""
    for earlier_s, later_s in pairwise(range(from_s, until_s + HOUR_S, HOUR_S)):
        offset_s = _offset_s(zone, earlier_s)
        if _offset_s(zone, later_s) == offset_s:
            continue
        while later_s - earlier_s > 1:
            middle_s = (earlier_s + later_s) // 2
            if _offset_s(zone, middle_s) == offset_s:
                earlier_s = middle_s
            else:
                later_s = middle_s
        yield later_s


def _offset_s(zone: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())
