"""
What was measured of each model when it was loaded: bytes, and seconds on this machine.

Kept in a small file beside the repository if that is writable, so that a restart needn't load every
model to measure it. It only initialises estimates.
"""

import errno
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infadapter_profiles.regular import regular_bytes
from infadapter_profiles.whole import replacing
from infadapter_server.networks.adaptive.points import Point

__all__ = ["FILE", "Measured", "Measurements", "machine"]

FILE = ".infadapter-measured.json"
MOST_BYTES = 16 * 2**20
_SIZE = re.compile("[1-9][0-9]{0,5}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`execution_s` is by batch size; with operating points it is the most accurate one's."""

    weights_bytes: int
    load_s: float
    execution_s: Mapping[int, float]
    points: tuple[Point, ...] = ()


class Measurements:
    """The file. `path=None`: nothing survives the process. `where` identifies the machine."""

    def __init__(self, path: Path | None, where: str = "") -> None:
        self._path, self._where = path, where
        written = self._read().get(where, {})
        self._known = {name: (entry["stamp"], _parse(entry)) for name, entry in written.items()}

    def of(self, name: str, stamp: str) -> Measured | None:
        """Return the measurement of a model, if its stamp is still the same."""
        known = self._known.get(name)
        return known[1] if known is not None and known[0] == stamp else None

    def remember(self, name: str, stamp: str, measured: Measured) -> None:
        self._known[name] = stamp, measured
        if self._path is None:
            return
        try:
            self._write(self._path)
        except OSError as error:
            _log.info("%s isn't written: %s; each start measures anew", self._path, error.strerror)
            self._path = None

    def _read(self) -> dict[str, dict[str, Any]]:
        """Return the entries of all machines; an unreadable file counts as empty."""
        try:
            content = json.loads(regular_bytes(self._path, MOST_BYTES)) if self._path else {}
            return {where: dict(filter(_sound, known.items())) for where, known in content.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            _log.warning("%s is ignored: %s", self._path, error)
            return {}

    def _write(self, path: Path) -> None:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no regular file: put one there")
        ours = {name: {"stamp": stamp, **asdict(m)} for name, (stamp, m) in self._known.items()}
        content = json.dumps({**self._read(), self._where: ours}, indent=1)
        with replacing(path) as beside:
            beside.write_text(content)


def _parse(entry: Mapping[str, Any]) -> Measured:
    return Measured(
        weights_bytes=entry["weights_bytes"],
        load_s=entry["load_s"],
        execution_s=_by_size(entry["execution_s"]),
        points=tuple(_point(point) for point in entry.get("points", ())),
    )


def _point(entry: Mapping[str, Any]) -> Point:
    return Point(entry["name"], entry["accuracy"], _by_size(entry["execution_s"]))


def _by_size(spent: Mapping[str, float]) -> dict[int, float]:
    return {int(size): seconds for size, seconds in spent.items()}


def machine(threads: int, root: Path = Path("/")) -> str:
    """Return what execution times depend on: the processor and the number of computing threads."""
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        text = ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"{models[0] if models else 'unknown processor'}, {threads} threads"


def _sound(item: tuple[str, Any]) -> bool:
    match item[1]:
        case {
            "stamp": str(),
            "weights_bytes": int(weights_bytes),
            "load_s": float(load_s),
            "execution_s": dict(spent),
            **others,
        }:
            sound = weights_bytes >= 0 and _is_time(load_s) and _spent(spent)
            return sound and _sound_points(others.get("points", []))
    return False


def _sound_points(points: Any) -> bool:
    sound = isinstance(points, list) and all(map(_sound_point, points))
    return sound and len({point["name"] for point in points}) == len(points)


def _sound_point(point: Any) -> bool:
    match point:
        case {"name": str(), "accuracy": float() | int() as accuracy, "execution_s": dict(spent)}:
            return 0 <= accuracy <= 1 and _spent(spent)
    return False


def _spent(spent: Mapping[str, Any]) -> bool:
    """Whether these are times by batch size, a single image among them."""
    return "1" in spent and all(
        _SIZE.fullmatch(size) and _is_time(seconds) for size, seconds in spent.items()
    )


def _is_time(seconds: Any) -> bool:
    return isinstance(seconds, float) and 0 < seconds < 1e6
